"""The graph: one task per tile, its variables as ordinary dask arrays."""

from __future__ import annotations

from collections.abc import Mapping
from operator import getitem
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.run.plan import Plan
from hsgeo.run.worker import run_tile
from hsgeo.stages.source import Source
from hsgeo.tiles.grid import Box, TileGrid
from hsgeo.tiles.windows import grow

__all__ = ["tile_arrays"]


def _run(plan: Plan, source: Source, box: tuple[int, ...], origin: tuple[int, ...]) -> dict[str, np.ndarray]:
    return run_tile(plan, source, Box(*box), Box(*origin))


def _loaded(plan: Plan, spectra: np.ndarray, quality: np.ndarray | None, box: tuple, origin: tuple) -> dict:
    wrapped = None if quality is None else xr.Variable(("y", "x"), quality)
    return _run(plan, Source(xr.Variable(("band", "y", "x"), spectra), wrapped), box, origin)


def _plain(box: Box) -> tuple[int, int, int, int]:
    return box.y0, box.y1, box.x0, box.x1


def tile_arrays(scene: xr.Dataset, plan: Plan, tile: int) -> Mapping[str, xr.DataArray]:
    """Build the lazy tile variables of a product.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene, lazy, on dask or in memory.
    plan : Plan
        What each tile follows.
    tile : int
        Side of a tile, pixels.

    Returns
    -------
    mapping of str to xarray.DataArray
        ``(..., y, x)`` each, one chunk per tile.
    """
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    grid = TileGrid(plan.frame.height, plan.frame.width, tile)
    source = Source.of(scene)
    name = f"hsgeo-tile-{plan.token}"
    plan_key, source_key = f"hsgeo-plan-{plan.token}", f"hsgeo-source-{plan.token}"
    graph: dict[Any, Any] = {plan_key: _Held(plan)}
    inputs: list[Any] = []
    if not source.chunked:
        graph[source_key] = _Held(source)
    tasks: dict[Any, Any] = {}
    for box in grid:
        key = (name, box.y0 // tile, box.x0 // tile)
        if not source.chunked:
            whole = (0, grid.height, 0, grid.width)
            tasks[key] = (_held_run, plan_key, source_key, _plain(box), whole)
            continue
        outer = box
        for planned in reversed(plan.steps):
            outer = grow(planned.needs.window, outer, grid.height, grid.width)
        window = source.window(outer)
        parts: list[Any] = []
        for raster in (window.spectra, window.quality):
            if raster is None:
                parts.append(None)
                continue
            array = da.asarray(raster.data).rechunk(-1)
            inputs.append(array)
            parts.append((array.name, *(0,) * array.ndim))
        tasks[key] = (_held_loaded, plan_key, parts[0], parts[1], _plain(box), _plain(outer))
    graph.update(tasks)
    top = HighLevelGraph.from_collections(name, graph, dependencies=inputs)
    arrays = {}
    for variable, spec in plan.specs.items():
        lead = tuple(len(plan.coords[dim]) for dim in spec.dims[:-2])
        layer_name = f"hsgeo-{variable}-{plan.token}"
        zeros = (0,) * len(lead)
        layer: Any = {(layer_name, *zeros, *key[1:]): (getitem, key, variable) for key in tasks}
        part = HighLevelGraph({**top.layers, layer_name: layer}, {**top.dependencies, layer_name: {name}})
        data = da.Array(part, layer_name, (*((n,) for n in lead), *grid.chunks), dtype=spec.dtype)
        labels = {dim: np.array(plan.coords[dim]) for dim in spec.dims[:-2]}
        arrays[variable] = xr.DataArray(data, dims=spec.dims, coords=labels, attrs=dict(spec.attrs), name=variable)
    return arrays


class _Held:
    """Keeps dask from looking inside: plans and sources travel as they are, once per worker."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _held_run(plan: _Held, source: _Held, box: tuple[int, ...], origin: tuple[int, ...]) -> dict[str, np.ndarray]:
    return _run(plan.value, source.value, box, origin)


def _held_loaded(plan: _Held, spectra: np.ndarray, quality: np.ndarray | None, box: tuple, origin: tuple) -> dict:
    return _loaded(plan.value, spectra, quality, box, origin)
