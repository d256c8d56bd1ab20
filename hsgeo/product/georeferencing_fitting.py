"""A map grid that fits the pixels: their reference system, their size, their extent."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.product.georeferencing_nearest import diagonals, earth_centred, geographic_latitude, sampled, steps
from hsgeo.product.placement import Placement

__all__ = ["fitting_grid", "name_of", "outside_area", "positions", "projected", "typical_diagonal"]

_Ways = tuple[np.ndarray, np.ndarray]  # steps along rows and along columns, (n, d) each

_METRES_PER_DEGREE = 111_320.0  # of latitude, rounded as everybody does: 30 m are 0.00027 degrees
_TOO_MANY = 400  # cells of the map per pixel of the swath, twenty times finer: beyond that a unit is wrong
_MOST = 2_000_000_000  # cells: a map is written tile by tile, and this many are 8 GB a layer on the disk
_ASTRAY = 10.0  # metres between a place and where a system brings it back to: one that fails is off by thousands of km
_BEYOND = 3.0  # degrees: maps of Norway, and mosaics, go half a UTM zone beyond their own
_PROBES = 4096  # places brought back: a system fails over regions
_TORN = 10.0  # times the extent on the ground at the scale of the pixels: a whole scene is distorted less, a tear more
_UTM_NORTH, _UTM_SOUTH = 84.0, -80.0  # beyond, the zones end and the polar stereographic grids (UPS) begin
_WIDENED = {
    (3.0, 12.0, 56.0, 64.0): 32,
    (0.0, 9.0, 72.0, 84.0 + 1e-9): 31,
    (9.0, 21.0, 72.0, 84.0 + 1e-9): 33,
    (21.0, 33.0, 72.0, 84.0 + 1e-9): 35,
    (33.0, 42.0, 72.0, 84.0 + 1e-9): 37,
}
"""West, east, south, north of the zones that are wider than 6 degrees, Norway's (band V) and Svalbard's (band X): their
maps are made so, and EPSG's areas of use do not say it."""


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
        If the pixels have no place, or no size.
    """
    lon, lat = positions(ds) if mapped is None else _of_transform(mapped)
    points = earth_centred(lon, lat)
    middle = np.nanmean(points.reshape(-1, 3), axis=0)
    lon_0 = float(np.degrees(np.arctan2(middle[1], middle[0])))
    lat_0 = float(geographic_latitude(middle))
    crs = _zone(lon_0, lat_0) if crs is None else crs
    x, y = projected(crs, lon, lat, lon_0)
    places = np.stack([x, y], axis=-1)
    ways, ground = _steps(places), _steps(points)
    least, greatest = _extent(places)
    if _torn((ways, ground), (greatest - least, np.subtract(*_extent(points)))):
        raise ConfigError(
            f"{name_of(crs)} is torn where the pixels lie, at a pole or the antimeridian",
            "a reference system in which neighbours stay neighbours",
            "Say grid='utm', or a system of the region",
        )
    if resolution is None:
        side = _mapped_side(mapped, crs) if mapped is not None else _side(ground if crs.is_geographic else ways, crs)
        size = float(f"{side:.2g}")  # 29.97 m are meant as 30
    else:
        size = resolution
    if not (np.isfinite(size) and size > 0):
        raise ConfigError(
            f"the cells of the grid would be {size} wide", "a positive number", "Give a resolution, or a whole grid"
        )
    edge = np.zeros(2) if mapped is not None else sum(map(_typical, ways))  # centres: half a pixel more
    low = np.floor((least - edge / 2) / size + 1e-9) * size
    high = np.ceil((greatest + edge / 2) / size - 1e-9) * size
    cols, rows = (int(n) for n in np.maximum(np.rint((high - low) / size), 1))
    pixels = ds.sizes["y"] * ds.sizes["x"]
    most = min(max(_TOO_MANY * pixels, 1 << 20), _MOST)
    if rows * cols > most:
        least_size = size * float(np.sqrt(rows * cols / most)) * 1.05  # the cells at the edges count whole
        raise ConfigError(
            f"a grid of {name_of(crs)} would have {rows} x {cols} cells of {size:g} for {pixels} pixels",
            f"at most {_TOO_MANY} cells a pixel and {_MOST / 1e9:g} billion in all",
            f"Give a resolution of {least_size:.2g} or more (--resolution), in the units of that system"
            if resolution is not None
            else "Say grid='utm', or another system: this one needs so many only where it is torn",
        )
    return Placement(crs, (size, 0.0, float(low[0]), 0.0, -size, float(high[1])), (rows, cols))


def _extent(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest of each coordinate; one after the other is five times as fast as all at once."""
    each = [points[..., k] for k in range(points.shape[-1])]
    return np.array([np.nanmin(values) for values in each]), np.array([np.nanmax(values) for values in each])


def _torn(ways: tuple[_Ways, _Ways], extents: tuple[np.ndarray, np.ndarray]) -> bool:
    """Tell whether a system puts neighbours on two sides of its map, which is then too large for what it shows.

    ``ways`` and ``extents``: in the system, and on the ground.
    """
    scales = []
    for there, here in zip(*ways, strict=True):
        lengths = [np.sqrt((way**2).sum(-1)) for way in (there, here)]
        moved = np.isfinite(lengths[0]) & (lengths[1] > 0)
        scales += [float(np.median(lengths[0][moved] / lengths[1][moved]))] if moved.any() else []
    wide, long = (float(np.sqrt((extent**2).sum())) for extent in extents)
    return bool(scales) and wide > _TORN * max(scales) * long


def _steps(points: np.ndarray) -> _Ways:
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
    zone = next(
        (zone for (west, east, south, north), zone in _WIDENED.items() if west <= lon < east and south <= lat < north),
        int((lon + 180) // 6) % 60 + 1,
    )
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


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
    _check_return(crs, change, (lon[known], lat[known]), (x[known], y[known]))
    if crs.is_geographic:
        x = lon_0 + (x - lon_0 + 180) % 360 - 180
    return x, y


def _check_return(crs: Any, change: Any, places: tuple[np.ndarray, np.ndarray], there: tuple[Any, Any]) -> None:
    """Refuse a system whose numbers for some places, finite as they are, stand for other places."""
    step = max(1, places[0].size // _PROBES)
    lon, lat = (values[::step] for values in places)
    back = change.transform(*(values[::step] for values in there), direction="INVERSE")
    away = np.sqrt(((earth_centred(lon, lat) - earth_centred(*map(np.asarray, back))) ** 2).sum(-1))
    lost = ~(away < _ASTRAY)
    if lost.size and lost.all():
        raise ConfigError(
            f"no pixel lies on the grid: the reference system {name_of(crs)} is not defined where the pixels lie"
            f"{_places_of(crs, lon, lat)}",
            "a reference system of the region",
            "Say grid='utm'",
        )
    if lost.any():
        raise ConfigError(
            f"the reference system {name_of(crs)} has no place for some of the pixels{_places_of(crs, lon, lat)}",
            "one that is defined there",
            "Say grid='utm'",
        )


def outside_area(where: Placement) -> str | None:
    """Say that a map lies outside the area that its reference system is made for.

    Parameters
    ----------
    where : Placement
        Of the map.

    Returns
    -------
    str or None
        One sentence; None where a part lies inside, or nothing tells the area.
    """
    from pyproj import Transformer

    area = _area(where.crs)
    if area is None or where.transform is None:
        return None
    a, b, c, d, e, f = where.transform
    row, col = (n * np.linspace(0, 1, 33) for n in where.shape)  # a map larger than the area touches it inside
    row, col = row[:, None], col[None]
    change = Transformer.from_crs(where.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = (np.asarray(v) for v in change.transform(a * col + b * row + c, d * col + e * row + f))
    known = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[known], lat[known]
    west, south, east, north = area
    across = (east - west) % 360 or 360.0
    around = (lon - west + _BEYOND) % 360 <= across + 2 * _BEYOND
    if not lon.size or (around & (lat >= south - _BEYOND) & (lat <= north + _BEYOND)).any():
        return None
    return (
        f"the map lies outside the area of {name_of(where.crs)[:40]}{_places_of(where.crs, lon, lat)}: "
        "distances and areas may be far off there; utm fits"
    )


def _area(crs: Any) -> tuple[float, float, float, float] | None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        area = CRS.from_user_input(name_of(crs)).area_of_use
    except CRSError:
        return None
    return None if area is None else area.bounds


def _places_of(crs: Any, lon: np.ndarray, lat: np.ndarray) -> str:
    """Return where the system is made for and where the pixels lie, in brackets."""
    area = _area(crs)
    if area is None:
        return ""
    here = tuple(float(v) for v in (np.nanmin(lon), np.nanmin(lat), np.nanmax(lon), np.nanmax(lat)))
    made, lies = (f"{w:.1f} to {e:.1f} E, {s:.1f} to {n:.1f} N" for w, s, e, n in (area, here))
    return f" (made for {made}; the scene: {lies})"


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


def _side(ways: _Ways, crs: Any) -> float:
    """Return the mean side of a pixel in the units of the grid; for degrees the steps are those on the ground."""
    along, across = (np.sqrt((way**2).sum(-1)) for way in ways)
    sides = [float(np.nanmedian(way)) for way in (along, across) if np.isfinite(way).any()]
    if not sides:
        raise _sizeless()
    side = float(np.sqrt(np.prod([*sides, *sides][:2])))
    return side / _METRES_PER_DEGREE if crs.is_geographic else side


def _mapped_side(mapped: Placement, crs: Any) -> float:
    from pyproj import Transformer

    assert mapped.transform is not None
    a, b, c, d, e, f = mapped.transform
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
        If the pixels have no size: a single one, none beside another, or all at one place.
    """
    found = np.concatenate([diagonals(slab).ravel() for slab in sampled(points)])
    found = found[np.isfinite(found)]
    middle = float(np.median(found)) if found.size else 0.0
    if middle <= 0:
        raise _sizeless()
    return middle


def _sizeless() -> SceneError:
    return SceneError(
        "nothing tells the size of the pixels: lat and lon are known of no two neighbours, or the same for all",
        "lat and lon that change from pixel to pixel",
        "Keep the sensor grid (grid='swath'), or download the file again",
    )
