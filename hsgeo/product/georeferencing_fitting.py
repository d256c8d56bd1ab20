"""A map grid that fits the pixels: their reference system, their size, their extent."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.product.georeferencing_nearest import diagonals, earth_centred, sampled, steps
from hsgeo.product.placement import Affine6, Placement

__all__ = ["fitting_grid", "name_of", "positions", "projected", "typical_diagonal"]

_METRES_PER_DEGREE = 111_320.0  # of latitude, rounded as everybody does: 30 m are 0.00027 degrees
_TOO_MANY = 64  # cells of the map per pixel of the swath: beyond that it wraps around the Earth, or a unit is wrong
_UTM_NORTH, _UTM_SOUTH = 84.0, -80.0  # beyond, the zones end and the polar stereographic grids (UPS) begin


def name_of(crs: Any) -> str:
    """Name a reference system: its code, else its WKT.

    Parameters
    ----------
    crs : rasterio.crs.CRS
        The system.

    Returns
    -------
    str
        Such as ``EPSG:32632``.
    """
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def positions(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Load the geolocation arrays of a swath.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``lat`` and ``lon``, 16 bytes a pixel.

    Returns
    -------
    lon, lat : numpy.ndarray, shape (rows, columns), float64
        Degrees; NaN where the file has no place for a pixel.

    Raises
    ------
    SceneError
        If no pixel has a place.
    """
    lon, lat = (np.asarray(ds[name].values, np.float64) for name in ("lon", "lat"))
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 540)
    if not known.any():
        raise SceneError(
            "lat and lon hold no place at all",
            "degrees of the pixel centres",
            "Keep the sensor grid (grid='swath'), or download the file again",
        )
    return np.where(known, lon, np.nan), np.where(known, lat, np.nan)


def fitting_grid(ds: xr.Dataset, mapped: Placement | None, crs: Any, resolution: float | None) -> Placement:
    """Lay the smallest grid of a reference system around the pixels, its corners at whole multiples of the cell.

    Parameters
    ----------
    ds : xarray.Dataset
        A swath with ``lat`` and ``lon``, unless ``mapped``.
    mapped : Placement or None
        Of the pixels, where they lie on a map grid already.
    crs : rasterio.crs.CRS or None
        The system; None: the UTM zone of the centre, or UPS near a pole.
    resolution : float or None
        Side of a cell in the units of the system; None: the mean side of the pixels, to two digits.

    Returns
    -------
    Placement
        North up.

    Raises
    ------
    ConfigError
        If the system has no place for the pixels, or is torn there.
    SceneError
        If the pixels have no place.
    """
    lon, lat = positions(ds) if mapped is None else _of_transform(mapped)
    points = earth_centred(lon, lat)
    middle = np.nanmean(points.reshape(-1, 3), axis=0)
    lon_0 = float(np.degrees(np.arctan2(middle[1], middle[0])))
    lat_0 = float(np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1]))))
    crs = _zone(lon_0, lat_0) if crs is None else crs
    x, y = projected(crs, lon, lat, lon_0)
    places = np.stack([x, y], axis=-1)
    size = _pixel_size(points if mapped is None else None, mapped, places, crs) if resolution is None else resolution
    if not (np.isfinite(size) and size > 0):
        raise ConfigError(
            f"the cells of the grid would be {size} wide", "a positive number", "Give a resolution, or a whole grid"
        )
    edge = np.zeros(2) if mapped is not None else sum(map(_typical, _steps(places)))  # centres: half a pixel more
    low = np.floor((np.nanmin(places.reshape(-1, 2), axis=0) - edge / 2) / size + 1e-9) * size
    high = np.ceil((np.nanmax(places.reshape(-1, 2), axis=0) + edge / 2) / size - 1e-9) * size
    cols, rows = (int(n) for n in np.maximum(np.rint((high - low) / size), 1))
    pixels = ds.sizes["y"] * ds.sizes["x"]
    if rows * cols > max(_TOO_MANY * pixels, 1 << 20):
        raise ConfigError(
            f"a grid of {name_of(crs)} would have {rows} x {cols} cells of {size:g} for {pixels} pixels",
            f"at most {_TOO_MANY} cells a pixel; a reference system that is torn here, at a pole or the antimeridian, "
            "needs more",
            "Say grid='utm', or give a resolution",
        )
    return Placement(crs, (size, 0.0, float(low[0]), 0.0, -size, float(high[1])), (rows, cols))


def _steps(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps along rows and columns, (n, d) each, of a sample of the pixels."""
    found = [[way.reshape(-1, way.shape[-1]) for way in steps(slab)] for slab in sampled(points)]
    return np.concatenate([way[0] for way in found]), np.concatenate([way[1] for way in found])


def _typical(way: np.ndarray) -> np.ndarray:
    known = np.abs(way[np.isfinite(way).all(-1)])
    return np.median(known, axis=0) if len(known) else np.zeros(2)


def _zone(lon: float, lat: float) -> Any:
    from rasterio.crs import CRS

    if lat > _UTM_NORTH or lat < _UTM_SOUTH:
        return CRS.from_epsg(5041 if lat > 0 else 5042)  # UPS with easting first
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1)


def projected(crs: Any, lon: np.ndarray, lat: np.ndarray, lon_0: float) -> tuple[np.ndarray, np.ndarray]:
    """Bring geographic places into a reference system.

    Parameters
    ----------
    crs : rasterio.crs.CRS
        The system.
    lon, lat : numpy.ndarray
        Degrees, WGS 84; NaN where unknown.
    lon_0 : float
        Middle: longitudes of a geographic system are counted within 180 degrees of it, so that nothing is torn.

    Returns
    -------
    x, y : numpy.ndarray
        NaN where unknown.

    Raises
    ------
    ConfigError
        If the system cannot hold the places.
    """
    from pyproj import Transformer

    change = Transformer.from_crs("EPSG:4326", crs.to_wkt(), always_xy=True)
    known = np.isfinite(lon)
    x, y = change.transform(np.where(known, lon, lon_0), np.where(known, lat, 0.0))
    x, y = np.where(known, x, np.nan), np.where(known, y, np.nan)
    if not np.isfinite(x[known]).all() or not np.isfinite(y[known]).all():
        raise ConfigError(
            f"the reference system {name_of(crs)} has no place for some of the pixels",
            "one that is defined there",
            "Say grid='utm'",
        )
    if crs.is_geographic:
        x = lon_0 + (x - lon_0 + 180) % 360 - 180
    return x, y


def _of_transform(where: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Return lon and lat along the outer edge of a map grid, which bounds it in any other."""
    from pyproj import Transformer

    rows, cols = where.shape
    down, right = np.linspace(0, rows, min(rows, 1024) + 1), np.linspace(0, cols, min(cols, 1024) + 1)
    row = np.concatenate([down, down, np.zeros_like(right), np.full_like(right, rows)])
    col = np.concatenate([np.zeros_like(down), np.full_like(down, cols), right, right])
    assert where.transform is not None
    a, b, c, d, e, f = where.transform
    change = Transformer.from_crs(where.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = change.transform(a * col + b * row + c, d * col + e * row + f)
    return np.asarray(lon)[None], np.asarray(lat)[None]


def _pixel_size(points: np.ndarray | None, mapped: Placement | None, places: np.ndarray, crs: Any) -> float:
    """Return the mean side of a pixel in the units of the grid, to two digits: 29.97 m are meant as 30."""
    if points is None:
        assert mapped is not None
        assert mapped.transform is not None
        side = _mapped_size(mapped, mapped.transform, crs)
    elif crs.is_geographic:
        side = _side(points) / _METRES_PER_DEGREE
    else:
        side = _side(places)
    return float(f"{side:.2g}")


def _side(points: np.ndarray) -> float:
    along, across = (np.sqrt((way**2).sum(-1)) for way in _steps(points))
    sides = [float(np.nanmedian(way)) for way in (along, across) if np.isfinite(way).any()]
    if not sides:
        raise ConfigError(
            "the pixels have no neighbours to tell their size by", "a resolution", "Give a resolution, or a whole grid"
        )
    return float(np.sqrt(np.prod([*sides, *sides][:2])))


def _mapped_size(mapped: Placement, transform: Affine6, crs: Any) -> float:
    from pyproj import Transformer

    a, b, c, d, e, f = transform
    row, col = mapped.shape[0] / 2, mapped.shape[1] / 2
    corner = np.array([[row, col], [row, col + 1], [row + 1, col]])
    x, y = a * corner[:, 1] + b * corner[:, 0] + c, d * corner[:, 1] + e * corner[:, 0] + f
    lon, lat = Transformer.from_crs(mapped.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    if crs.is_geographic:
        points = earth_centred(lon, lat)
        ways = points[1:] - points[0]
        return float(np.sqrt(np.prod(np.sqrt((ways**2).sum(-1)))) / _METRES_PER_DEGREE)
    x, y = projected(crs, lon, lat, float(lon[0]))
    return float(np.sqrt(np.hypot(x[1] - x[0], y[1] - y[0]) * np.hypot(x[2] - x[0], y[2] - y[0])))


def typical_diagonal(points: np.ndarray) -> float:
    """Return the median diagonal of a swath's pixels.

    Parameters
    ----------
    points : numpy.ndarray, shape (rows, columns, 3)
        Earth-centred metres.

    Returns
    -------
    float
        Metres.

    Raises
    ------
    SceneError
        If the pixels have no size: a single one, or all at one place.
    """
    found = np.concatenate([diagonals(slab).ravel() for slab in sampled(points)])
    found = found[np.isfinite(found)]
    middle = float(np.median(found)) if found.size else 0.0
    if middle <= 0:
        raise SceneError(
            "the pixels have no size: lat and lon are known of one place only",
            "lat and lon that change from pixel to pixel",
            "Keep the sensor grid (grid='swath')",
        )
    return middle
