"""Where a product comes from: what decided it, and the little in which equal runs may differ."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr

from hsgeo._version import __version__
from hsgeo.errors import ProductError

__all__ = ["identify", "provenance", "provenance_attrs", "read_provenance", "run_id"]

_LIBRARIES = ("numpy", "numba", "scipy", "torch", "xarray")  # those whose arithmetic shows in a product


def identify(scene: xr.Dataset, sample_values: np.ndarray) -> dict[str, Any]:
    """Say which scene this is, so that a rerun can tell that it got the same one.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene; ``encoding["source"]`` holds the path as the user gave it, if there was one.
    sample_values : numpy.ndarray
        Spectra at fixed places, any shape, taken as float32.

    Returns
    -------
    dict
        ``name``, ``path``, ``product_id``, ``sensor``, ``size`` (bands, rows, columns) and ``sample``,
        the blake2b hash of the sampled values; None for what is unknown.
    """
    values = np.ascontiguousarray(sample_values, dtype="<f4")
    values = np.where(np.isnan(values), np.float32(np.nan), values)  # one NaN: its payload bits are no information
    digest = blake2b(repr(values.shape).encode(), digest_size=16)
    digest.update(values.tobytes())
    path = scene.encoding.get("source")
    return {
        "name": PurePath(str(path)).name if path else None,
        "path": str(path) if path else None,
        "product_id": _text(scene.attrs.get("product_id")),
        "sensor": _text(scene.attrs.get("sensor")),
        "size": [int(scene.sizes[dim]) for dim in ("band", "y", "x")],
        "sample": digest.hexdigest(),
    }


def provenance(
    *,
    recipe: Mapping[str, Any],
    seed: int,
    tile: Sequence[int],
    source: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Record what a product is made of.

    Parameters
    ----------
    recipe : mapping
        The resolved recipe, plain YAML types.
    seed : int
        Seed of the run.
    tile : sequence of int
        Rows and columns of a tile.
    source : mapping
        What `identify` returned.
    weights : mapping of str to mapping
        By stage id, ``name`` (or path) and ``sha256`` of the weights it used.
    versions : mapping of str to str, optional
        Version of every plugin used, by name.

    Returns
    -------
    dict
        ``recipe``, ``seed``, ``source``, ``weights``, ``plugins``, ``versions`` and ``volatile`` (date,
        tile): the one block in which equal runs may differ.
    """
    found = {"hsgeo": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    record = {
        "recipe": recipe,
        "seed": int(seed),
        "source": source,
        "weights": weights,
        "plugins": dict(versions or {}),
        "versions": found,
        "volatile": {"date": datetime.now(UTC).isoformat(timespec="seconds"), "tile": [int(n) for n in tile]},
    }
    return json.loads(json.dumps(record, default=_plain))


def run_id(record: Mapping[str, Any]) -> str:
    """Compute the id of everything that decides the result.

    That is: recipe (without its name and its output format), seed, identity of the input (not its name
    and path), hashes of weights, versions of hsgeo and plugins. Tiling, time and machine do not count.

    Parameters
    ----------
    record : mapping
        What `provenance` returned.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    recipe = {key: value for key, value in record["recipe"].items() if key not in ("name", "output")}
    output = record["recipe"].get("output") or {}
    recipe["output"] = {key: value for key, value in output.items() if key not in ("use", "with")}
    decides = {
        "recipe": recipe,
        "seed": record["seed"],
        "source": {key: value for key, value in record["source"].items() if key not in ("name", "path")},
        "weights": {stage: about["sha256"] for stage, about in record["weights"].items()},
        "plugins": record["plugins"],
        "hsgeo": record["versions"]["hsgeo"],
    }
    if record.get("naming"):  # products without it keep the ids they had
        decides["naming"] = {key: value for key, value in record["naming"].items() if key != "path"}
    if record.get("given"):
        decides["given"] = {key: record["given"].get(key) for key in ("by", "names", "hash")}
    if record.get("georeferenced_before"):
        decides["georeferenced_before"] = record["georeferenced_before"]
    text = json.dumps(decides, sort_keys=True, separators=(",", ":"), default=_plain)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def provenance_attrs(record: Mapping[str, Any]) -> dict[str, str]:
    """Turn a record into the attributes of a product.

    Parameters
    ----------
    record : mapping
        What `provenance` returned.

    Returns
    -------
    dict
        ``hsgeo_provenance`` and ``hsgeo_volatile`` (JSON), ``hsgeo_run_id``, ``hsgeo_version``, ``history``.
    """
    lasting = {key: value for key, value in record.items() if key != "volatile"}
    stages = [str(stage.get("use", stage)) for stage in record["recipe"].get("stages", [])]
    identity = run_id(record)
    said = " > ".join(stages) or "no stage"
    return {
        "hsgeo_provenance": json.dumps(lasting, sort_keys=True),
        "hsgeo_run_id": identity,
        "hsgeo_version": str(record["versions"]["hsgeo"]),
        # no date here, against habit: it stands in the volatile block, so that equal runs leave equal bytes
        "history": f"hsgeo {record['versions']['hsgeo']}: {said} (seed {record['seed']}, run {identity})",
        "hsgeo_volatile": json.dumps(record.get("volatile", {}), sort_keys=True),
    }


def read_provenance(product: xr.Dataset) -> dict[str, Any]:
    """Read the record back from a product, for a rerun.

    Parameters
    ----------
    product : xarray.Dataset
        As `hsgeo.open_product` returns it.

    Returns
    -------
    dict
        As `provenance` returned it.

    Raises
    ------
    ProductError
        When the product carries no readable record.
    """
    text = product.attrs.get("hsgeo_provenance")
    try:
        record = json.loads(str(text))
        volatile = json.loads(str(product.attrs.get("hsgeo_volatile", "{}")))
        return {**record, "volatile": volatile}
    except (ValueError, TypeError) as error:
        raise ProductError(
            "the product carries no readable provenance" if text else "the product carries no provenance",
            "the attribute hsgeo_provenance as hsgeo writes it",
            "Run hsgeo unmix again; only products of hsgeo can be rerun",
        ) from error


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
