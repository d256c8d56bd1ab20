"""From the sensor grid to a map, after unmixing: by output tile, lazily, never more than a tile's pixels at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.plugin.quality import Quality
from hsgeo.product.georeferencing_grid import KEEP, chosen_grid, read_grid, text_of
from hsgeo.product.georeferencing_lookup import Found, Lookup, make_lookup
from hsgeo.product.placement import Placement, find_placement
from hsgeo.product.provenance import provenance_attrs, read_provenance
from hsgeo.product.template import placed
from hsgeo.tiles.grid import Box, TileGrid, auto_tile

__all__ = ["georeferenced", "kept_swath", "tile_side"]

METHODS = ("nearest", "bilinear")
_SWATH_ONLY = ("lat", "lon", "glt_x", "glt_y", "y", "x", "spatial_ref")  # said by the map grid, or no longer true
_BUDGET = 64 * 2**20  # bytes of a tile of the map; its pixels on the sensor grid are about twice that when it is turned
_LOOKUP = 64  # bytes a cell takes while its pixel is looked up


def georeferenced(
    ds: xr.Dataset,
    *,
    grid: Any = "auto",
    method: str = "nearest",
    resolution: float | None = None,
    tile: int | None = None,
) -> xr.Dataset:
    """Bring a product or scene onto a map grid, lazily.

    Every cell takes the pixel that lies there (or a mean of four, all valid), so abundances stay what they were: they
    sum to what they summed to. A cell without a pixel is NaN, and ``nodata`` in ``quality``.

    Parameters
    ----------
    ds : xarray.Dataset
        Rasters end in ``(y, x)``.
    grid, method, resolution
        As for `hsgeo.georeference`.
    tile : int, optional
        Side of the tiles of the map that are worked on, cells; None: by memory. Changes no value.

    Returns
    -------
    xarray.Dataset
        The same variables on the grid, dask arrays of one chunk per tile; ``ds`` itself where it stays as it is.

    Raises
    ------
    ConfigError, SceneError
        If the grid or method is not there, or nothing says where the pixels lie.
    """
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}", "'nearest' or 'bilinear'")
    where = find_placement(ds)
    mapped = where.crs is not None and where.transform is not None
    grid = read_grid(grid)
    if isinstance(grid, str) and (grid in KEEP or (grid == "auto" and mapped)):
        return ds
    target, by = chosen_grid(ds, grid, resolution=resolution)
    if mapped and isinstance(grid, (str, int)) and resolution is None and not where.rotated and target.crs == where.crs:
        return ds  # there already: another origin of the cells would only move the pixels by a part of one
    if method == "bilinear" and by == "lookup table":
        if not all(name in ds.coords for name in ("lat", "lon")):
            raise ConfigError(
                "method='bilinear', and all that is known of the pixels is their lookup table",
                "method='nearest'",
                "Leave the method out",
            )
        by = "geolocation"  # on the grid of the table: the table itself knows whole pixels only
    lookup = make_lookup(ds, target, by)
    side = tile_side(ds, target.shape) if tile is None else tile
    rasters = {str(n): v.variable for n, v in ds.data_vars.items() if v.dims[-2:] == ("y", "x")}
    # pixels are found on every grid that was laid around them, unless its cells are so wide that few centres lie there
    sure = resolution is None and isinstance(grid, (str, int))
    out = _on_grid(ds, _layers(rasters, lookup, target.shape, side, method, sure=sure), target)
    if "hsgeo_provenance" in ds.attrs:
        out.attrs |= _recorded(ds, grid, method, resolution, target, by)
    if "abundance" in out:
        out = placed(out)
    for key in ("hsgeo_state", "source"):
        if key in ds.encoding:
            out.encoding[key] = ds.encoding[key]
    return out


def tile_side(ds: xr.Dataset, shape: tuple[int, int]) -> int:
    """Choose the side of the tiles of a map; the same for the same data, so that a stopped run can go on.

    Parameters
    ----------
    ds : xarray.Dataset
        What is to be brought onto the map.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    int
        Cells.
    """
    rasters = [v for v in ds.data_vars.values() if v.dims[-2:] == ("y", "x")]
    layers = sum(v.dtype.itemsize * int(np.prod(v.shape[:-2], dtype=np.int64)) for v in rasters)
    return auto_tile(*shape, 3 * layers + _LOOKUP, _BUDGET)


def _on_grid(ds: xr.Dataset, arrays: Mapping[str, xr.Variable], grid: Placement) -> xr.Dataset:
    import rioxarray  # noqa: F401 - registers .rio

    kept = {name: var for name, var in ds.variables.items() if "y" not in var.dims and "x" not in var.dims}
    kept = {name: var for name, var in kept.items() if not {"glt_row", "glt_col"} & set(var.dims)}
    coords = {name: ds[name].variable for name in ds.coords if name in kept and name not in _SWATH_ONLY}
    order = [name for name in ds.data_vars if name in arrays or name in kept]
    data = {name: arrays.get(str(name), kept.get(name)) for name in order}
    assert grid.transform is not None
    a, _, c, _, e, f = grid.transform
    rows, cols = grid.shape
    y: np.ndarray
    x: np.ndarray
    if grid.rotated:
        y, x = np.arange(rows), np.arange(cols)
    else:
        y, x = f + e * (np.arange(rows) + 0.5), c + a * (np.arange(cols) + 0.5)
    out = xr.Dataset(data, {**coords, "y": ("y", y), "x": ("x", x)}, dict(ds.attrs)).rio.write_crs(grid.crs)
    out["spatial_ref"].attrs["GeoTransform"] = grid.geotransform
    if not grid.rotated:
        out = out.rio.write_coordinate_system()
    for name in out.data_vars:
        out[name].encoding.pop("grid_mapping", None)
        if name in arrays:
            out[name].attrs["grid_mapping"] = "spatial_ref"
            if out[name].dtype.kind == "f":
                out[name].encoding["_FillValue"] = out[name].dtype.type(np.nan)
    if "wavelength" in ds.xindexes:
        out = out.set_xindex("wavelength")
    return out


def _recorded(
    ds: xr.Dataset, grid: Any, method: str, resolution: float | None, target: Placement, by: str
) -> dict[str, Any]:
    asked: dict[str, Any] = {"grid": text_of(grid)}
    if method != "nearest":
        asked["method"] = method
    if resolution is not None:
        asked["resolution"] = float(resolution)
    known = read_provenance(ds)
    record = _with_output(known, asked)
    if "georeferencing" in known:  # on a map already: what was done before decides this product, too
        record["georeferenced_before"] = [*known.get("georeferenced_before", []), known["georeferencing"]]
    whole = text_of({"crs": target.crs, "transform": target.transform, "shape": target.shape})
    record["georeferencing"] = {**whole, "by": by, "method": method}
    attrs: dict[str, Any] = provenance_attrs(record)
    for step in (*record.get("georeferenced_before", []), record["georeferencing"]):
        attrs["history"] += f"; onto {step['crs'][:40]} by {step['by']}, {step['method']}"
    return attrs


def kept_swath(ds: xr.Dataset) -> dict[str, Any]:
    """Say in the provenance of a product that it lies on the sensor grid, whatever its recipe wants for the map.

    Parameters
    ----------
    ds : xarray.Dataset
        A product with provenance.

    Returns
    -------
    dict
        Its new attributes.
    """
    return {**provenance_attrs(_with_output(read_provenance(ds), {"grid": "swath"}))}


def _with_output(record: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Write the grid into the recipe of a record: a rerun does the same."""
    output = {key: value for key, value in record["recipe"].get("output", {}).items() if key in ("use", "with")}
    return {**record, "recipe": {**record["recipe"], "output": {**output, **asked}}}


# --------------------------------------------------------------------------------------------- the graph


class _Held:
    """Keeps dask from looking inside."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _find(lookup: _Held, tile: tuple[int, ...], box: tuple[int, ...], within: bool) -> Found:
    held: Lookup = lookup.value
    return held.find(Box(*tile), Box(*box), within=within)


def _fill(name: str, dtype: np.dtype) -> Any:
    if dtype.kind == "f":
        return dtype.type(np.nan)
    if name == "quality":
        return dtype.type(Quality.NODATA)
    return dtype.type(-1) if dtype.kind == "i" else dtype.type(0)


def _take(source: Any, found: Found, box: tuple[int, ...], fill: Any, group: int | None = None) -> np.ndarray:
    """Fill a tile of the map from ``source (..., y, x)``, the pixels of ``box``; ``group``: see `_mean_of_four`."""
    area = Box(*box)
    values = source.value[(..., *area.region)].values if isinstance(source, _Held) else np.asarray(source)
    there = found.row >= 0
    row, col = found.row[there] - area.y0, found.col[there] - area.x0
    out = np.full((*values.shape[:-2], *there.shape), fill, values.dtype)
    if found.down is None or found.right is None or values.dtype.kind != "f":
        out[..., there] = values[..., row, col]
    else:
        out[..., there] = _mean_of_four(values, row, col, found.down[there], found.right[there], group)
    return out


def _mean_of_four(
    values: np.ndarray,
    row: np.ndarray,
    col: np.ndarray,
    down: np.ndarray,
    right: np.ndarray,
    group: int | None,
) -> np.ndarray:
    """Weigh each pixel and its three neighbours towards the place, those without a value left out.

    A place whose own pixel has no value gets none. The layers along the axis ``group`` (abundances, which have a sum)
    get the same weights: a neighbour counts only where it has a value in every layer in which the own pixel has one.
    Weighed one by one they would no longer sum to what they summed to.
    """
    height, width = values.shape[-2:]
    own = np.isfinite(values[..., row, col])
    total = np.zeros((*values.shape[:-2], row.size))
    weight: np.ndarray | float = 0.0
    for i in (0, 1):
        for j in (0, 1):
            r, c = row + i * np.sign(down).astype(int), col + j * np.sign(right).astype(int)
            share = (np.abs(down) if i else 1 - np.abs(down)) * (np.abs(right) if j else 1 - np.abs(right))
            share = np.where((r >= 0) & (r < height) & (c >= 0) & (c < width), share, 0.0)
            part = values[..., np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)]
            valid = np.isfinite(part)
            share = share * (valid if group is None else (valid | ~own).all(group, keepdims=True))
            total += np.where(valid, part, 0) * share
            weight = weight + share
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total / weight).astype(values.dtype)
    return np.where(own, mean, values.dtype.type(np.nan))


def _layers(
    rasters: Mapping[str, xr.Variable], lookup: Lookup, shape: tuple[int, int], side: int, method: str, *, sure: bool
) -> dict[str, xr.Variable]:
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    token = uuid.uuid4().hex
    tiles = TileGrid(*shape, side)
    boxes = lookup.boxes(tiles)
    if not any(boxes) or not (sure or _any_found(lookup, zip(tiles, boxes, strict=True))):
        raise ConfigError(
            f"no pixel lies on the grid of {shape[0]} x {shape[1]} cells",
            "a grid where the scene is, of cells that are narrower than it",
            "Say grid='utm' or another reference system, which fits a grid; hsgeo info tells where a scene lies",
        )
    held, found_name = f"hsgeo-lookup-{token}", f"hsgeo-found-{token}"
    finds: dict[Any, Any] = {held: _Held(lookup)}
    for tile, box in zip(tiles, boxes, strict=True):
        if box is not None:
            finds[(found_name, tile.y0 // side, tile.x0 // side)] = (
                _find,
                held,
                _plain(tile),
                _plain(box),
                method == "bilinear",
            )
    base = HighLevelGraph.from_collections(found_name, finds)
    out = {}
    for name, var in rasters.items():
        label, kept = f"hsgeo-map-{name}-{token}", f"hsgeo-source-{name}-{token}"
        fill, lead = _fill(name, var.dtype), var.shape[:-2]
        group = var.dims.index("endmember") if "endmember" in var.dims else None
        layer: dict[Any, Any] = {}
        inputs: list[Any] = []
        if var.chunks is None:
            layer[kept] = _Held(var)
        for tile, box in zip(tiles, boxes, strict=True):
            at = (tile.y0 // side, tile.x0 // side)
            key = (label, *(0,) * len(lead), *at)
            if box is None:
                layer[key] = (np.full, (*lead, tile.height, tile.width), fill, var.dtype)
                continue
            source: Any = kept
            if var.chunks is not None:
                part = da.asarray(var.data)[(..., *box.region)].rechunk(-1)
                inputs.append(part)
                source = (part.name, *(0,) * part.ndim)
            layer[key] = (_take, source, (found_name, *at), _plain(box), fill, group)
        own = HighLevelGraph.from_collections(label, layer, dependencies=inputs)
        graph = HighLevelGraph(
            {**base.layers, **own.layers},
            {**base.dependencies, **own.dependencies, label: {found_name, *own.dependencies[label]}},
        )
        data = da.Array(graph, label, (*((n,) for n in lead), *tiles.chunks), dtype=var.dtype)
        out[name] = xr.Variable(var.dims, data, dict(var.attrs))
    return out


def _any_found(lookup: Lookup, tiles: Iterable[tuple[Box, Box | None]]) -> bool:
    """Tell whether any cell has a pixel, the most promising tile first: nearly always that one has."""
    some = [(box.height * box.width, tile, box) for tile, box in tiles if box is not None]
    for _, tile, box in sorted(some, key=lambda each: -each[0]):
        if (lookup.find(tile, box, within=False).row >= 0).any():
            return True
    return False


def _plain(box: Box) -> tuple[int, int, int, int]:
    return box.y0, box.y1, box.x0, box.x1
