"""The map grid that a sensor grid is brought onto: the file's own, a UTM zone, any reference system, or a given one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoError, SceneError
from hsgeo.product.georeferencing_fitting import fitting_grid, name_of
from hsgeo.product.placement import Placement, find_placement

__all__ = ["KEEP", "chosen_grid", "grid_file", "has_geolocation", "lookup_grid", "read_grid", "text_of"]

KEEP = ("swath", "scene")
"""Names for the grid that the pixels have already."""

_ACCEPTED = (
    "'auto', 'swath', 'utm', a reference system such as 'EPSG:32632', a GeoTIFF or product on the grid wanted, such a "
    "Dataset, or a mapping with crs, transform (a, b, c, d, e, f) and shape (rows, columns)"
)
_RASTERS = (".tif", ".tiff", ".vrt", ".img", ".zarr")  # what names a file, whether it is there or not


def has_geolocation(ds: xr.Dataset) -> bool:
    """Tell whether a dataset is a swath: on no map grid, but with ``lat`` and ``lon``, or a lookup table.

    Parameters
    ----------
    ds : xarray.Dataset
        A scene or product.

    Returns
    -------
    bool
        False for what lies on a map grid, rotated or not, and for what nobody can place.
    """
    where = find_placement(ds)
    if where.crs is not None and where.transform is not None:
        return False
    return _arrays(ds) or _table(ds)


def grid_file(grid: Any) -> Path | None:
    """Tell whether a grid is that of a file.

    Parameters
    ----------
    grid : object
        As given.

    Returns
    -------
    pathlib.Path or None
        The file; None for all else.
    """
    if isinstance(grid, Path):
        return grid
    if isinstance(grid, str) and grid not in (*KEEP, "auto", "utm"):
        path = Path(grid)
        if path.suffix.lower() in _RASTERS or (len(grid) < 256 and path.exists()):
            return path
    return None


def read_grid(grid: Any) -> Any:
    """Read the grid of a file, so that nothing depends on the file any more.

    Parameters
    ----------
    grid : object
        See `hsgeo.georeference`.

    Returns
    -------
    object
        ``crs``, ``transform`` and ``shape`` of the file; what is no file as it was given.

    Raises
    ------
    ConfigError
        If the file cannot be read, or lies on no map grid.
    """
    path = grid_file(grid)
    if path is None:
        return grid
    if not path.exists():
        raise ConfigError(f"the grid is that of {path}, which does not exist", _ACCEPTED)
    where = _of_store(path) if path.is_dir() else _of_raster(path)
    if where.crs is None or where.transform is None:
        missing = "CRS" if where.crs is None else "transform"
        raise ConfigError(f"{path}, whose grid is wanted, has no {missing}", "a raster on a map grid")
    return {"crs": name_of(where.crs), "transform": list(where.transform), "shape": list(where.shape)}


def _of_raster(path: Path) -> Placement:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said below, as an error
            with rasterio.open(path) as raster:
                a, b, c, d, e, f = raster.transform[:6]
                placed = not raster.transform.is_identity
                return Placement(raster.crs, (a, b, c, d, e, f) if placed else None, (raster.height, raster.width))
    except RasterioError as error:
        raise ConfigError(f"the grid of {path} cannot be read: {error}", "a GeoTIFF, or a product of hsgeo") from error


def _of_store(path: Path) -> Placement:
    from hsgeo.product.opening import open_product

    try:
        return find_placement(open_product(path, chunks=None))
    except HsgeoError as error:
        raise ConfigError(
            f"the grid of {path} cannot be read: {error.found}", "a GeoTIFF, or a product of hsgeo"
        ) from error


def _arrays(ds: xr.Dataset) -> bool:
    return all(name in ds.coords and ds[name].dims == ("y", "x") for name in ("lat", "lon"))


def _table(ds: xr.Dataset) -> bool:
    return all(name in ds.coords and ds[name].ndim == 2 and "crs_wkt" in ds[name].attrs for name in ("glt_x", "glt_y"))


def chosen_grid(ds: xr.Dataset, grid: Any, *, resolution: float | None = None) -> tuple[Placement, str]:
    """Choose the map grid for a scene or product.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``lat``, ``lon``, a lookup table, or on a map grid itself.
    grid : str, int, mapping, Dataset or DataArray
        See `hsgeo.georeference`; none of `KEEP`.
    resolution : float, optional
        Side of a cell in the units of the grid; None: the size of the pixels.

    Returns
    -------
    grid : Placement
        With CRS, transform and shape.
    by : str
        ``"lookup table"``, ``"geolocation"`` or ``"transform"``: what says where the pixels lie.

    Raises
    ------
    ConfigError
        If there is no such grid, or it does not fit the pixels.
    SceneError
        If nothing says where the pixels lie.
    """
    where = find_placement(ds)
    mapped = where.crs is not None and where.transform is not None
    arrays, table = _arrays(ds), _table(ds)
    if not (mapped or arrays or table):
        raise SceneError(
            "nothing says where the pixels lie: no CRS, no lat and lon, no lookup table",
            "a scene or product with lat (y, x) and lon (y, x), glt_x and glt_y, or a CRS with a transform",
            "Open the delivered file again: readers of swaths give lat and lon",
        )
    given = _given(grid)
    if given is not None:
        if resolution is not None:
            raise ConfigError("a resolution together with a given grid", "one of them: the grid has its own cells")
        target = given
    elif table and not mapped and grid == "auto":
        if resolution is not None:
            raise ConfigError(
                "a resolution together with the file's own grid",
                "one of them: the grid has its own cells",
                "Say grid='utm', or another reference system",
            )
        return lookup_grid(ds), "lookup table"
    if not (mapped or arrays):
        raise ConfigError(
            f"the grid {text_of(grid)!r} was asked for, and all that is known of the pixels is their lookup table",
            "grid='auto': the grid of the lookup table",
            "Leave the grid out",
        )
    by = "transform" if mapped else "geolocation"
    if given is None:
        crs = None if isinstance(grid, str) and grid in ("auto", "utm") else _system(grid)
        target = fitting_grid(ds, where if mapped else None, crs, resolution)
    return target, by


def text_of(grid: Any) -> Any:
    """Return a grid as provenance keeps it, and as it can be asked for again.

    Parameters
    ----------
    grid : str, int, mapping, Dataset or DataArray
        As given.

    Returns
    -------
    str or dict
        The text, or ``crs``, ``transform`` and ``shape``.
    """
    if isinstance(grid, int):
        return f"EPSG:{grid}"
    grid = read_grid(grid)
    if isinstance(grid, str):
        return grid
    given = _given(grid)
    if given is None:
        return str(grid)
    assert given.transform is not None
    return {"crs": name_of(given.crs), "transform": list(given.transform), "shape": list(given.shape)}


def _given(grid: Any) -> Placement | None:
    grid = read_grid(grid)
    if isinstance(grid, (xr.Dataset, xr.DataArray)):
        where = find_placement(grid if isinstance(grid, xr.Dataset) else grid.to_dataset(name="grid"))
        if where.crs is None or where.transform is None:
            raise ConfigError("the Dataset given as grid has no CRS or no regular y and x", _ACCEPTED)
        return where
    if not isinstance(grid, Mapping):
        return None
    if set(grid) != {"crs", "transform", "shape"}:
        raise ConfigError(f"the grid has the keys {', '.join(map(str, grid)) or 'none'}", _ACCEPTED)
    try:
        numbers = tuple(float(v) for v in tuple(grid["transform"])[:6])
        rows, cols = (int(n) for n in grid["shape"])
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the grid's transform or shape cannot be read: {error}", _ACCEPTED) from error
    if len(numbers) != 6 or not np.isfinite(numbers).all() or min(rows, cols) < 1:
        raise ConfigError(f"the grid has the transform {numbers} and the shape {(rows, cols)}", _ACCEPTED)
    a, b, c, d, e, f = numbers
    if a * e - b * d == 0:
        raise ConfigError(f"the grid's transform {numbers} gives cells without area", _ACCEPTED)
    return Placement(_system(grid["crs"]), (a, b, c, d, e, f), (rows, cols))


def _system(crs: Any) -> Any:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        return CRS.from_user_input(crs)
    except (CRSError, TypeError, ValueError) as error:
        raise ConfigError(f"{text_of(crs)!r} is no grid: {error}", _ACCEPTED) from error


def lookup_grid(ds: xr.Dataset) -> Placement:
    """Read the map grid of a lookup table.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``glt_x`` and ``glt_y`` and their attributes ``crs_wkt`` and ``GeoTransform``.

    Returns
    -------
    Placement
        The grid.

    Raises
    ------
    SceneError
        If the attributes or shapes are not those of a lookup table.
    """
    table = ds["glt_x"]
    numbers = str(table.attrs.get("GeoTransform", "")).split()
    if len(numbers) != 6 or ds["glt_y"].shape != table.shape:
        raise SceneError(
            f"the lookup table has {len(numbers)} numbers in GeoTransform and the shapes {table.shape} and "
            f"{ds['glt_y'].shape}",
            "6 numbers in GDAL's order, and equal shapes",
            "Say grid='utm', which needs lat and lon only",
        )
    c, a, b, f, d, e = (float(n) for n in numbers)
    return Placement(_system(table.attrs["crs_wkt"]), (a, b, c, d, e, f), (table.shape[0], table.shape[1]))
