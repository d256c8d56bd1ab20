"""Georeference: from the sensor grid to a map, after unmixing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from hsgeo.errors import HsgeoWarning, SceneError

__all__ = ["check_grid", "georeference", "grid_file", "on_grid", "read_grid"]


class _MadeOf(NamedTuple):
    """What a lazy georeferenced product is made of; `hsgeo.write` unmixes each pixel of it once."""

    swath: xr.Dataset
    asked: dict[str, Any]
    layers: dict[str, str]


def georeference(
    product_or_scene: xr.Dataset,
    *,
    grid: Any = "auto",
    method: str = "nearest",
    resolution: float | None = None,
    tile: int | None = None,
) -> xr.Dataset:
    """Bring a product, or a scene, from the grid of its sensor onto a map, lazily and by tiles of the map.

    A swath is placed by the lookup table of its product (``glt_x``, ``glt_y``) or by its geolocation arrays (``lat``,
    ``lon``, WGS 84, centres of pixels): each cell takes the pixel whose centre is nearest on the ground, and none
    where that pixel does not cover it, to 0.6 of its height and width. What lies on a map already, rotated or not, can
    be brought to another one. Unmix first: mixing spectra of neighbours mixes materials too.

    Parameters
    ----------
    product_or_scene : xarray.Dataset
        From `unmix`, `open_product` or `open_scene`; rasters end in ``(y, x)``.
    grid : str, int, path, mapping, xarray.Dataset or xarray.DataArray
        ``"auto"``: what has a CRS keeps its grid, a swath gets that of its lookup table, else its UTM zone.
        ``"utm"``: the UTM zone of the centre, Norway's and Svalbard's wider ones included (beyond 84 N and 80 S polar
        stereographic, UPS). ``"EPSG:32632"``, 32632 or anything else that names a reference system. A GeoTIFF, or a
        product, on the grid wanted (path), such a dataset, or a mapping with ``crs``, ``transform`` (a, b, c, d, e, f)
        and ``shape`` (rows, columns). ``"swath"``: the sensor grid, nothing changes.
    method : {"nearest", "bilinear"}
        ``"bilinear"``: decimal numbers are means of the four pixels around a cell's centre, those without a value left
        out (of abundances, those without one of the endmembers that the cell's own pixel has); whole numbers (quality,
        models) are those of the nearest pixel. Either keeps the sum of the abundances.
    resolution : float, optional
        Side of a cell in the units of the reference system; None: the mean side of the pixels, to two digits.
    tile : int, optional
        Side of the tiles of the map that are worked on; None: by memory. Changes no value.

    Returns
    -------
    xarray.Dataset
        The same variables on the grid, NaN (and ``nodata`` in ``quality``) where no pixel lies; without ``lat``,
        ``lon`` and lookup table. Provenance says how.

    Raises
    ------
    ConfigError
        If there is no such grid or method, or the grid does not fit: a reference system torn at a pole or the
        antimeridian, or a given grid on which no pixel lies.
    SceneError
        If nothing says where the pixels lie, or how large they are.
    """
    out = _placed(product_or_scene, grid=grid, method=method, resolution=resolution, tile=tile)
    if out is not product_or_scene:
        _warn_outside(out, grid)
    return out


def _placed(product_or_scene: xr.Dataset, **asked: Any) -> xr.Dataset:
    from hsgeo.product.georeferencing import georeferenced

    if not isinstance(product_or_scene, xr.Dataset) or not {"y", "x"} <= set(product_or_scene.dims):
        raise SceneError(
            f"there are no rasters to georeference in this {type(product_or_scene).__name__}",
            "a product or scene: a Dataset with variables that end in ('y', 'x')",
            "Open it with hsgeo.open_product or hsgeo.open_scene",
        )
    asked["grid"] = read_grid(asked.get("grid", "auto"))
    out = georeferenced(product_or_scene, **asked)
    if out is not product_or_scene and "hsgeo_state" in product_or_scene.encoding:  # not computed yet
        layers = {str(n): v.data.name for n, v in out.data_vars.items() if v.dims[-2:] == ("y", "x")}
        out.encoding["hsgeo_swath"] = _MadeOf(product_or_scene, asked, layers)
    return out


def _warn_outside(placed: xr.Dataset, grid: Any) -> None:
    """Warn where a map is outside the area that the system asked for is made for; chosen ones fit."""
    from hsgeo.product.georeferencing_fitting import outside_area
    from hsgeo.product.placement import find_placement

    chosen = grid is None or (isinstance(grid, str) and grid in ("auto", "utm"))
    said = None if chosen else outside_area(find_placement(placed))
    if said is not None:
        warnings.warn(said, HsgeoWarning, stacklevel=3)


def read_grid(grid: Any) -> Any:
    """Read the grid of a GeoTIFF or product.

    Parameters
    ----------
    grid : object
        As for `georeference`.

    Returns
    -------
    object
        ``crs``, ``transform`` and ``shape`` of a file; what is no file as it was given.

    Raises
    ------
    ConfigError
        If the file cannot be read, or lies on no map grid.
    """
    from hsgeo.product.georeferencing_grid import read_grid as read

    return read(grid)


def grid_file(grid: Any) -> Path | None:
    """Tell whether a grid is that of a file, which then must not be overwritten.

    Parameters
    ----------
    grid : object
        As for `georeference`.

    Returns
    -------
    pathlib.Path or None
        The file; None for all else.
    """
    from hsgeo.product.georeferencing_grid import grid_file as named

    return named(grid)


def on_grid(product: xr.Dataset, output: Mapping[str, Any]) -> xr.Dataset:
    """Bring a product onto the grid that a recipe asks for.

    Parameters
    ----------
    product : xarray.Dataset
        From `unmix`.
    output : mapping
        The recipe's ``output`` block: ``grid``, ``method``, ``resolution``.

    Returns
    -------
    xarray.Dataset
        On that grid; with ``auto``, what nobody can place stays as it is.
    """
    from hsgeo.product.georeferencing_grid import has_geolocation

    asked = {key: output[key] for key in ("grid", "method", "resolution") if output.get(key) is not None}
    if asked.get("grid", "auto") == "auto" and not has_geolocation(product):
        return product
    return _placed(product, **asked)


def check_grid(scene: xr.Dataset, output: Mapping[str, Any]) -> None:
    """Refuse a grid that a scene cannot be brought onto, before anything is unmixed.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene; its geolocation arrays are read, no pixel.
    output : mapping
        As for `on_grid`.

    Raises
    ------
    ConfigError, SceneError
        As `georeference`.
    """
    rasters = scene.drop_vars([str(n) for n in scene.data_vars if n != "spectra"])
    one = rasters.isel(band=slice(0, 1))
    placed = on_grid(one, output)
    if placed is not one:
        _warn_outside(placed, output.get("grid"))
