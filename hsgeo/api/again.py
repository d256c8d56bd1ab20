"""Runs that go on or come again: resume and rerun."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.product.opening import open_product, open_state, unfinished
from hsgeo.product.provenance import read_provenance
from hsgeo.stages.labels import Labels

__all__ = [
    "Run",
    "check_output",
    "check_same_input",
    "check_same_weights",
    "read_run",
    "unfinished_tile",
    "writer_name",
]


@dataclass(frozen=True)
class Run:
    """The run that made a product.

    Parameters
    ----------
    path : str or None
        Its scene, as it was given; None: it was in memory.
    recipe : dict
        The resolved recipe.
    source : dict
        Identity of the scene.
    library : xarray.Dataset or None
        Given endmembers, on the scene's bands.
    naming : dict or None
        By which library endmembers were named, and how.
    labels : hsgeo.stages.labels.Labels or None
        Labelled pixels, where a stage learnt from them; they give the endmembers, too.
    weights : dict
        By stage, name and sha256 of the weights it used.
    """

    path: str | None
    recipe: dict[str, Any]
    source: dict[str, Any]
    library: xr.Dataset | None
    naming: dict[str, Any] | None = None
    labels: Labels | None = None
    weights: dict[str, Any] = field(default_factory=dict)


def read_run(path: str | Path) -> Run:
    """Read out of a product how it was made.

    Parameters
    ----------
    path : path
        A Zarr product.

    Returns
    -------
    Run
        What is needed to repeat it.

    Raises
    ------
    ConfigError
        If a one-file plugin that it used was not given again, it holds no labels that a stage needs, or it was brought
        onto a map more than once.
    ProductError
        If it is no product of hsgeo, or incomplete.
    """
    from hsgeo.plugin.registry import registry

    record = read_provenance(open_product(path))
    if before := record.get("georeferenced_before"):
        steps = [*before, record["georeferencing"]]
        raise ConfigError(
            f"{path} was brought onto a map {len(steps)} times: {', then '.join(str(s['crs'])[:40] for s in steps)}",
            "a product of one such step, which is all that a recipe holds",
            "Rerun the product that it was made of, and repeat hsgeo georeference on that",
        )
    digests = set(registry().files.values())
    for name, value in record.get("plugins", {}).items():
        if name.startswith("file:") and value not in digests:
            raise ConfigError(
                f"{path} used the one-file plugin {name.removeprefix('file:')}, which was not given or has changed",
                f"the file with hash {value}",
                "Give it with --plugin",
            )
    given = _given(Path(path), record["recipe"])
    if given is not None and "given" in record:
        given = given.assign_attrs(hsgeo_given=json.dumps(record["given"], sort_keys=True))
    labels = _labels(Path(path), record)
    library = given if labels is None else None
    source = record["source"]
    return Run(
        source.get("path"),
        record["recipe"],
        source,
        library,
        record.get("naming"),
        labels,
        dict(record.get("weights") or {}),
    )


def _labels(path: Path, record: Mapping[str, Any]) -> Labels | None:
    """Return the labels from which a stage of the run learnt; None: no stage did."""
    from hsgeo.plugin.registry import registry

    reads = any(var.name == "label" for use in record["recipe"]["stages"] for var in registry().stage(use["use"]).reads)
    if not reads or record.get("given", {}).get("by") != "labels":
        return None
    found = Labels.from_state(open_state(path).get("scene", xr.Dataset())) if path.suffix == ".zarr" else None
    if found is None:
        raise ConfigError(
            f"{path} learnt from labelled pixels and does not hold them",
            "a product in Zarr, which does",
            "Run hsgeo unmix --labels again",
        )
    return found


def _given(path: Path, recipe: Mapping[str, Any]) -> xr.Dataset | None:
    """Return the endmembers that a run was given, on the bands of its scene; None: it found them."""
    from hsgeo.plugin.registry import registry
    from hsgeo.spectra.library import as_library

    if path.suffix == ".zarr":
        shared = open_state(path).get("scene", xr.Dataset())
        given = [name for name in ("endmembers", "library") if name in shared]
        return _library(shared, given[0]) if given else None
    records = [registry().stage(step["use"]) for step in recipe["stages"]]
    if any(var.name == "endmembers" and not var.optional for record in records for var in record.writes):
        return None
    return as_library(open_product(path))  # a COG keeps no state, but its endmembers


def _library(shared: xr.Dataset, name: str) -> xr.Dataset:
    spectra = shared[name]
    if name == "endmembers":
        spectra = spectra.rename(endmember="spectrum")
        spectra = spectra.assign_coords(name=("spectrum", spectra["spectrum"].values)).drop_vars("spectrum")
    return spectra.rename("spectra").to_dataset()


def check_same_input(product: xr.Dataset, expected: Mapping[str, Any]) -> None:
    """Check that a product will be made of the very pixels that were recorded.

    Parameters
    ----------
    product : xarray.Dataset
        The new product, still lazy.
    expected : mapping
        Recorded identity.

    Raises
    ------
    ConfigError
        If size or sampled pixels differ.
    """
    found = read_provenance(product)["source"]
    different = [key for key in ("size", "sample") if found.get(key) != expected.get(key)]
    if different:
        raise ConfigError(
            f"the scene {found.get('path')} is not the one the product was made of: {' and '.join(different)} differ",
            f"{expected.get('name')} with size {expected.get('size')}",
            "Give the right scene with --input",
        )


def check_same_weights(product: xr.Dataset, expected: Mapping[str, Mapping[str, str]]) -> None:
    """Check that a product will be made with the weights that were recorded.

    Parameters
    ----------
    product : xarray.Dataset
        The new product, still lazy.
    expected : mapping
        ``name`` and ``sha256`` by stage, as recorded.

    Raises
    ------
    ConfigError
        If a stage uses others.
    """
    found = read_provenance(product)["weights"]
    for stage, about in expected.items():
        if (other := found.get(stage, {}).get("sha256")) != about["sha256"]:
            raise ConfigError(
                f"the weights {about['name']} of stage {stage!r} are not those the product was made with: "
                f"their sha256 is {other}",
                f"the sha256 {about['sha256']}",
                "Put that file back; or, to use this one, run hsgeo unmix",
            )


def check_output(path: str | Path, *, overwrite: bool, resume: bool, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse an output that cannot be written, before anything else is done.

    Parameters
    ----------
    path : path
        The output.
    overwrite, resume : bool
        What is allowed.
    inputs : iterable of path
        What is read.

    Raises
    ------
    ConfigError, ProductError
        If no writer knows the suffix, or the output exists, holds an input, or cannot be written.
    """
    from hsgeo.product.writing import check_target, choose_writer

    choose_writer(path)
    check_target(path, overwrite=overwrite, resume=resume, inputs=inputs)


def unfinished_tile(path: str | Path) -> int | None:
    """Return the tile size of an unfinished output, which a resumed run must keep.

    Parameters
    ----------
    path : path
        The output.

    Returns
    -------
    int or None
        Side in pixels; None where nothing is unfinished.
    """
    from hsgeo.api.writing import spool_of
    from hsgeo.product.opening import unfinished_tile as stored

    for begun in (spool_of(path), Path(path)):  # a swath is unmixed on its own grid first
        if unfinished(begun) is not None:
            return stored(begun)
    return None


def writer_name(wanted: str | None, path: str | Path) -> str:
    """Choose the writer of an output: the recipe's where it writes this suffix, else by suffix.

    Parameters
    ----------
    wanted : str or None
        The recipe's writer.
    path : path
        The output.

    Returns
    -------
    str
        Name of the writer.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.product.writing import choose_writer

    if wanted is not None and Path(path).suffix.lower() in registry().writer(wanted).suffixes:
        return wanted
    return choose_writer(path).name
