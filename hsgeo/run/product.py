"""The lazy product of a plan, and the tile size it is cut into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin.registry import Registry
from hsgeo.product.names import named, naming_record
from hsgeo.product.provenance import provenance, provenance_attrs
from hsgeo.product.template import assemble
from hsgeo.run.fit import scene_identity
from hsgeo.run.graph import tile_arrays
from hsgeo.run.plan import Plan, state_recipe
from hsgeo.run.write import local_workers
from hsgeo.tiles.grid import auto_tile
from hsgeo.tiles.memory import tile_budget

__all__ = ["plan_tile", "product_of", "tile_of", "weights_used"]

COPIES = 3  # of a pixel's spectrum at a time: as read, good bands, the stage's block or window


def plan_tile(plan: Plan, scene: xr.Dataset, client: Any = None) -> int:
    """Choose the tile size of a plan by memory.

    Parameters
    ----------
    plan : Plan
        What each tile takes.
    scene : xarray.Dataset
        The scene.
    client : distributed.Client, optional
        Its workers hold the tiles instead of this process.

    Returns
    -------
    int
        Side in pixels.
    """
    outputs = sum(
        np.dtype(spec.dtype).itemsize * int(np.prod([len(plan.coords[dim]) for dim in spec.dims[:-2]], dtype=int))
        for spec in plan.specs.values()
    )
    work = max((p.needs.memory.per_pixel for p in plan.steps), default=0)
    copies = COPIES + any("spectra" in p.specs for p in plan.steps)  # as measured and as corrected
    per_pixel = copies * 4 * scene.sizes["band"] + outputs + work
    workers = local_workers() if client is None else 1
    return auto_tile(plan.frame.height, plan.frame.width, per_pixel, tile_budget(workers))


def tile_of(product: xr.Dataset) -> int:
    """Return the side of the tiles that a lazy product is cut into; one in memory is one tile."""
    chunks = product["abundance"].variable.chunksizes
    if not chunks:
        return max(product.sizes["y"], product.sizes["x"])
    return int(max(*chunks["y"], *chunks["x"]))


def product_of(
    scene: xr.Dataset, plan: Plan, state: Mapping[str, xr.Dataset], tile: int, registry: Registry
) -> xr.Dataset:
    """Put the lazy product of a plan together.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene.
    plan : Plan
        From `hsgeo.run.plan.make_plan`.
    state : mapping of str to xarray.Dataset
        What the plan was made of.
    tile : int
        Side of a tile, pixels.
    registry : Registry
        Knows the versions of the plugins.

    Returns
    -------
    xarray.Dataset
        The product, lazy.
    """
    recipe = state_recipe(state).model_copy(update={"seed": plan.frame.seed})
    records = [p.step.record for p in plan.steps]
    versions = {info.name: str(info.version) for info in map(registry.provider, records)}
    versions |= {f"file:{Path(path).name}": digest for path, digest in registry.files_behind(records).items()}
    record = provenance(
        recipe=recipe.dump(),
        seed=plan.frame.seed,
        tile=(tile, tile),
        source=scene_identity(scene, state),
        weights=weights_used(state),
        versions=versions,
    )
    record |= naming_record(state["scene"])
    if "given" in state["scene"].attrs:
        record["given"] = json.loads(state["scene"].attrs["given"])
    spec = plan.specs["abundance"]
    E = plan.scene_vars.get("endmembers")
    meaning = {"sum": spec.sum or "free"}
    if E is not None and "scale" in E.attrs:
        meaning["scale"] = E.attrs["scale"]
    if "shade" in spec.attrs:
        meaning["shade"] = spec.attrs["shade"]
    product = assemble(
        scene,
        tile_arrays(scene, plan, tile),
        _fixed(plan, state["scene"]),
        attrs=provenance_attrs(record) | meaning | _about(scene, plan),
    )
    return named(product, state["scene"])


def weights_used(state: Mapping[str, xr.Dataset]) -> dict[str, dict[str, str]]:
    """Say which weights the stages use: those whose state has the attributes ``weights`` and ``weights_sha256``.

    Parameters
    ----------
    state : mapping of str to xarray.Dataset
        Fit states.

    Returns
    -------
    dict of str to dict
        By stage id, ``name`` (or path) and ``sha256``.
    """
    return {
        stage: {"name": str(learnt.attrs.get("weights", "")), "sha256": str(learnt.attrs["weights_sha256"])}
        for stage, learnt in sorted(state.items())
        if "weights_sha256" in learnt.attrs
    }


def _about(scene: xr.Dataset, plan: Plan) -> dict[str, Any]:
    kept = {key: scene.attrs[key] for key in ("sensor", "product_id") if scene.attrs.get(key)}
    return kept | {"noise_level": plan.noise_level}


def _fixed(plan: Plan, shared: xr.Dataset) -> xr.Dataset:
    """Return the scene-scope variables over all bands of the scene, NaN in the bad ones."""
    good = np.flatnonzero(plan.frame.good)
    fixed = {}
    for name, var in plan.scene_vars.items():
        if name in plan.specs or name == "library" or var.dtype.kind not in "fiu":
            continue
        if "band" in var.dims:
            axis = var.dims.index("band")
            shape = list(var.shape)
            shape[axis] = plan.frame.good.size
            values = np.full(shape, np.nan, np.float32)
            values[tuple(good if dim == "band" else slice(None) for dim in var.dims)] = var.values
            fixed[name] = xr.DataArray(values, dims=var.dims, attrs=var.attrs)
        else:
            fixed[name] = xr.DataArray(var.values, dims=var.dims, attrs=var.attrs)
        if "endmember" in var.dims:
            fixed[name] = fixed[name].assign_coords(endmember=var["endmember"].values)
    return xr.Dataset(fixed).assign_coords(
        band=shared["band"].values,
        wavelength=("band", shared["wavelength"].values, {"units": "nm", "standard_name": "radiation_wavelength"}),
        fwhm=("band", shared["fwhm"].values, {"units": "nm"}),
        good=("band", plan.frame.good),
    )
