"""Cut a scene: the window that holds a box, and the bands within wavelengths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import check_scene

__all__ = ["subset"]

_EDGE = 65  # points along each side of the box: straight lines bend from one reference system to another
_WHOLE = 1e-6  # of a pixel: a box that was made of pixel corners holds these pixels and no others
_BOX = "west,south,east,north, with west < east (but across the antimeridian) and south < north"


def subset(
    scene: xr.Dataset,
    *,
    bbox: Sequence[float] | str | None = None,
    crs: Any = "EPSG:4326",
    wavelength: Sequence[float] | Sequence[Sequence[float]] | str | None = None,
) -> xr.Dataset:
    """Cut the smallest window of rows and columns that holds a box, and choose bands; nothing is read but lat and lon.

    Works for scenes on a map grid, rotated or not, and for swaths. Pixels are not moved: outside a box that is not
    parallel to the rows, the window has more than was asked for.

    Parameters
    ----------
    scene : xarray.Dataset
        A scene.
    bbox : sequence of float or str, optional
        West, south, east, north in ``crs``; None: all pixels. West > east in degrees is a box across the antimeridian.
    crs : optional
        Reference system of the box, anything that names one.
    wavelength : pair of float, sequence of pairs, or str, optional
        Ranges in nm, ends included, such as ``(400, 1000)`` or ``"400-1000,1500-1780"``; None: all bands.

    Returns
    -------
    xarray.Dataset
        A scene, lazy if it was, with its own transform; the lookup table of a swath is cut to the window, too.

    Raises
    ------
    ConfigError
        If the box or a range is malformed, or has nothing in common with the scene.
    SceneError
        If nothing says where the pixels lie.
    """
    check_scene(scene)
    if wavelength is not None:
        scene = scene.isel(band=np.flatnonzero(_within(scene["wavelength"].values, _ranges(wavelength))))
    if bbox is None:
        return scene
    box = _numbers(bbox)
    system = _system(crs)
    rows, cols = _window(scene, box, system)
    return _cut(scene, rows, cols)


def _ranges(given: Any) -> list[tuple[float, float]]:
    accepted = "ranges in nm such as 400-1000 or 400-1000,1500-1780, the lower end first"
    try:
        if isinstance(given, str):
            parts = [re.fullmatch(r"\s*([\d.]+)\s*-\s*([\d.]+)\s*", part) for part in given.split(",")]
            pairs = [(float(part[1]), float(part[2])) for part in parts if part is not None]
            whole = len(pairs) == len(parts)
        else:
            # that there are two of each is checked below
            pairs = [tuple(map(float, pair)) for pair in (given if np.ndim(given) == 2 else [given])]  # type: ignore[misc]
            whole = all(len(pair) == 2 for pair in pairs)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"wavelength is {given!r}", accepted) from error
    if not whole or not pairs or any(not low <= high for low, high in pairs):
        raise ConfigError(f"wavelength is {given!r}", accepted)
    return pairs


def _within(wavelength: np.ndarray, ranges: list[tuple[float, float]]) -> np.ndarray:
    inside = np.zeros(wavelength.shape, bool)
    for low, high in ranges:
        inside |= (wavelength >= low) & (wavelength <= high)
    if not inside.any():
        said = ", ".join(f"{low:g}-{high:g}" for low, high in ranges)
        raise ConfigError(
            f"no band lies within {said} nm", f"ranges that hold bands: {wavelength.min():g}-{wavelength.max():g} nm"
        )
    return inside


def _numbers(bbox: Sequence[float] | str) -> tuple[float, float, float, float]:
    try:
        listed = bbox.split(",") if isinstance(bbox, str) else bbox
        west, south, east, north = (float(v) for v in listed)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the box is {bbox!r}", _BOX) from error
    if not np.isfinite([west, south, east, north]).all() or not south < north:
        raise ConfigError(f"the box is {bbox!r}", _BOX)
    return west, south, east, north


def _system(crs: Any) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise ConfigError(f"{crs!r} is no reference system", "such as EPSG:4326 or EPSG:32632") from error


def _window(scene: xr.Dataset, box: tuple[float, float, float, float], crs: Any) -> tuple[slice, slice]:
    from hsgeo.product.placement import find_placement

    west, south, east, north = box
    if crs.is_geographic and west > east:
        east += 360
    if not west < east:
        raise ConfigError(f"the box is {','.join(f'{v:g}' for v in box)}", _BOX)
    where = find_placement(scene)
    if where.crs is not None and where.transform is not None:
        found = _of_grid(where, (west, south, east, north), crs)
    elif all(name in scene.coords and scene[name].dims == ("y", "x") for name in ("lat", "lon")):
        found = _of_swath(scene, (west, south, east, north), crs)
    else:
        raise SceneError(
            "nothing says where the pixels lie: no CRS, no lat and lon",
            "a scene with a CRS and a transform, or with lat (y, x) and lon (y, x)",
            "Cut it by numbers: scene.isel(y=slice(...), x=slice(...))",
        )
    rows, cols = found
    if rows.start >= rows.stop or cols.start >= cols.stop:
        raise ConfigError(
            f"the box {','.join(f'{v:.10g}' for v in box)} ({crs.to_string()[:40]}) holds no pixel of the scene",
            f"a box that touches {_extent(scene, where, crs)}",
            "Check the order west,south,east,north, and --crs",
        )
    return rows, cols


def _outline(west: float, south: float, east: float, north: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.linspace(west, east, _EDGE), np.linspace(south, north, _EDGE)
    left, low = np.full(_EDGE, west), np.full(_EDGE, south)
    right, high = np.full(_EDGE, east), np.full(_EDGE, north)
    return np.concatenate([x, right, x, left]), np.concatenate([low, y, high, y])


def _bounds_of_grid(where: Any, crs: Any, middle: float | None) -> tuple[float, float, float, float]:
    """Return the bounds of a map grid in another system; longitudes within 180 degrees of ``middle``."""
    from pyproj import Transformer

    rows, cols = where.shape
    a, b, c, d, e, f = where.transform
    col, row = _outline(0, 0, cols, rows)
    change = Transformer.from_crs(where.crs.to_wkt(), crs, always_xy=True)
    x, y = change.transform(a * col + b * row + c, d * col + e * row + f)
    if crs.is_geographic:
        centre = float(np.asarray(x)[0]) if middle is None else middle
        x = centre + (np.asarray(x) - centre + 180) % 360 - 180
        if np.ptp(x) > 180:  # torn: the scene lies opposite the box
            x = np.where(x < centre, x + 360, x)
    return float(np.min(x)), float(np.min(y)), float(np.max(x)), float(np.max(y))


def _of_grid(where: Any, box: tuple[float, float, float, float], crs: Any) -> tuple[slice, slice]:
    from pyproj import Transformer

    west, south, east, north = box
    own = _bounds_of_grid(where, crs, (west + east) / 2)
    # only where box and scene meet, else a large box lies where the scene's system ends
    low, bottom, high, top = max(west, own[0]), max(south, own[1]), min(east, own[2]), min(north, own[3])
    if not (low < high and bottom < top):
        return slice(0, 0), slice(0, 0)
    x, y = Transformer.from_crs(crs, where.crs.to_wkt(), always_xy=True).transform(*_outline(low, bottom, high, top))
    a, b, c, d, e, f = where.transform
    area = a * e - b * d
    col, row = (e * (x - c) - b * (y - f)) / area, (a * (y - f) - d * (x - c)) / area
    rows, cols = where.shape
    return _span(row, rows), _span(col, cols)


def _span(at: np.ndarray, size: int) -> slice:
    start, stop = int(np.floor(at.min() + _WHOLE)), int(np.ceil(at.max() - _WHOLE))
    return slice(max(start, 0), min(max(stop, start + 1), size))


def _of_swath(scene: xr.Dataset, box: tuple[float, float, float, float], crs: Any) -> tuple[slice, slice]:
    from hsgeo.product.georeferencing_nearest import steps

    west, south, east, north = box
    x, y = _places(scene, crs, (west + east) / 2)
    places = np.stack([x, y], axis=-1)
    # half a pixel to each side, so that a box between two centres has its pixels
    half = sum(np.nan_to_num(np.abs(way)) / 2 for way in steps(places))
    with np.errstate(invalid="ignore"):
        inside = (x + half[..., 0] > west) & (x - half[..., 0] < east)
        inside &= (y + half[..., 1] > south) & (y - half[..., 1] < north)
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _places(scene: xr.Dataset, crs: Any, middle: float) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer

    from hsgeo.product.georeferencing_fitting import positions

    lon, lat = positions(scene)
    known = np.isfinite(lon)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        np.where(known, lon, 0.0), np.where(known, lat, 0.0)
    )
    known &= np.isfinite(x) & np.isfinite(y)
    if crs.is_geographic:
        x = middle + (x - middle + 180) % 360 - 180
    return np.where(known, x, np.nan), np.where(known, y, np.nan)


def _extent(scene: xr.Dataset, where: Any, crs: Any) -> str:
    if where.transform is not None and where.crs is not None:
        bounds: Sequence[float] = _bounds_of_grid(where, crs, None)
    else:
        x, y = _places(scene, crs, float(np.nanmedian(scene["lon"].values)) if crs.is_geographic else 0.0)
        bounds = [float(v) for v in (np.nanmin(x), np.nanmin(y), np.nanmax(x), np.nanmax(y))]
    return ",".join(f"{v:.8g}" for v in bounds)


def _cut(scene: xr.Dataset, rows: slice, cols: slice) -> xr.Dataset:
    """Cut, and say anew where the pixels lie."""
    from hsgeo.product.placement import find_placement

    out = scene.isel(y=rows, x=cols)
    where = find_placement(out)
    if where.transform is not None and "spatial_ref" in out.coords:
        mapping = out["spatial_ref"].variable.copy()
        mapping.attrs = {**mapping.attrs, "GeoTransform": where.geotransform}
        out = out.assign_coords(spatial_ref=mapping)
        if where.rotated:  # these grids count their pixels from 0
            axes = {dim: (dim, np.arange(out.sizes[dim]), out[dim].attrs) for dim in ("y", "x")}
            out = out.assign_coords(axes)
    if "glt_x" in out.coords and "glt_y" in out.coords:
        out = _cut_lookup(out)
    out.encoding = dict(scene.encoding)
    return out


def _cut_lookup(scene: xr.Dataset) -> xr.Dataset:
    """Keep the cells of the lookup table that name a pixel of the cut swath; the numbers stay those of the file."""
    from hsgeo.product.georeferencing_grid import lookup_grid
    from hsgeo.product.georeferencing_lookup import table_indices

    try:
        row, _ = table_indices(scene)
    except SceneError:  # nothing of the window is on the file's map: lat and lon still say where it lies
        return scene.drop_vars(["glt_x", "glt_y"])
    there = row >= 0
    down, across = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    window = {"glt_row": slice(down[0], down[-1] + 1), "glt_col": slice(across[0], across[-1] + 1)}
    grid = lookup_grid(scene)
    assert grid.transform is not None
    a, b, c, d, e, f = grid.transform
    i, j = int(down[0]), int(across[0])
    moved = (c + a * j + b * i, a, b, f + d * j + e * i, d, e)
    table = {}
    for name in ("glt_x", "glt_y"):
        cut = scene[name].variable.isel(window)
        kept = np.where(there[window["glt_row"], window["glt_col"]], cut.values, 0).astype(cut.dtype)
        attrs = {**cut.attrs, "GeoTransform": " ".join(repr(float(v)) for v in moved)}
        table[name] = xr.Variable(cut.dims, kept, attrs)
    return scene.drop_vars(["glt_x", "glt_y", "glt_row", "glt_col"], errors="ignore").assign_coords(table)
