"""Where the pixels of an AVIRIS netCDF cube lie, and the checks that the file says one thing about it.

L2A is on a map grid: ``easting`` and ``northing`` are pixel centres, the attribute ``GeoTransform`` of the grid mapping
counts from the corner of the first pixel. L1B is on the sensor grid; ``lat`` and ``lon`` are pixel centres, and the
lookup table says which of its pixels belongs into each cell of a map grid (counted from 1; 0: none; negative: that of
a neighbour, filled in).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.common.georef import quiet_crs
from hsgeo_sensors.common.hdf5 import is_variable

__all__ = ["Grid", "dimension", "grid_of"]

TABLE = "geolocation_lookup_table"
SENSOR = {"line", "lines", "sample", "samples", "downtrack", "crosstrack"}
"""Names of the dimensions of the sensor grid: a map projection in such a file is that of the lookup table."""
CLOSE = 0.02  # pixels; decimal digits in GeoTransform and coordinates lose less
FAR = 8.0  # cells: table and positions agree to a pixel or two, which may span some cells; a wrong axis is far off
LINES = 7  # rows of the lookup table that are compared with the positions of the pixels
DO = "The file is damaged or of another layout; please report it with this message"


@dataclass(frozen=True)
class Grid:
    """What was found.

    Parameters
    ----------
    crs, transform : object
        Of a cube on a map grid; None for the sensor grid.
    lat, lon : str or None
        Variables of the positions on the sensor grid.
    table : tuple or None
        Variables of column and row, shape, CRS and transform of the lookup table.
    about : str
        One line for the attributes of the scene.
    """

    crs: Any = None
    transform: Any = None
    lat: str | None = None
    lon: str | None = None
    table: tuple[str, str, tuple[int, int], Any, Any] | None = None
    about: str = ""


def grid_of(file: Any, field: str, shape: tuple[int, int], axes: tuple[int, int], *, name: str) -> Grid:
    """Find out which kind of grid a cube is on, and check what the file says about it.

    Parameters
    ----------
    file : h5py.File
        The granule.
    field : str
        Its cube.
    shape : tuple of int
        Rows and columns of the cube.
    axes : tuple of int
        Positions of rows and columns among the stored axes.
    name : str
        For messages.

    Returns
    -------
    Grid
        Without any place where the file has none, of which there is one warning.

    Raises
    ------
    SceneError
        If its parts contradict each other, or a part is missing.
    """
    mapping = _mapping(file, field)
    if TABLE in file and not _on_map(file, field, shape, axes):
        return _swath(file, shape, mapping, name)
    if mapping is None or {dimension(file[field], axis) for axis in axes} <= SENSOR:
        return _unmapped(file, shape, name)
    transform, about = _placed(file, mapping, shape, name)
    if transform is None:
        return _unmapped(file, shape, name)
    return Grid(_crs(mapping, name), transform, about=about)


def dimension(data: Any, axis: int) -> str:
    """Return the name of a dimension.

    Parameters
    ----------
    data : h5py.Dataset
        A variable.
    axis : int
        Position of the dimension.

    Returns
    -------
    str
        In lower case and without its group; empty where the file does not name it.
    """
    try:
        scales = data.dims[axis]
        return (scales[0].name or "").rsplit("/")[-1].lower() if len(scales) else ""
    except (RuntimeError, KeyError):  # the dimension it refers to is no longer there
        return ""


def _mapping(file: Any, field: str) -> Any:
    """Return the variable whose attributes describe the map projection."""
    said = _text(file[field].attrs.get("grid_mapping"))
    candidates = [
        item for key, item in file.items() if not hasattr(item, "keys") and key in (said, "transverse_mercator")
    ]
    candidates += [item for item in file.values() if not hasattr(item, "keys")]
    for item in candidates:
        if "crs_wkt" in item.attrs or "spatial_ref" in item.attrs:
            return item
    return None


def _on_map(file: Any, field: str, shape: tuple[int, int], axes: tuple[int, int]) -> bool:
    """Tell a map grid from a sensor grid: by the names of the dimensions, else by the lengths of the coordinates."""
    names = [dimension(file[field], axis) for axis in axes]
    if all(names):
        return names == ["northing", "easting"] or names == ["y", "x"]
    found = [file[key].shape for key in ("northing", "easting") if key in file]
    return found == [(shape[0],), (shape[1],)]


def _crs(mapping: Any, name: str) -> Any:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    wkt = _text(mapping.attrs.get("crs_wkt")) or _text(mapping.attrs.get("spatial_ref"))
    try:
        return quiet_crs(CRS.from_wkt, wkt)
    except CRSError as error:
        raise SceneError(f"{name} has a reference system that cannot be read: {error}", "WKT", DO) from error


def _placed(file: Any, mapping: Any, shape: tuple[int, int], name: str) -> tuple[Any, str]:
    """Return the affine of the map grid, checked against the coordinates; None where the file has neither."""
    from affine import Affine

    said = mapping.attrs.get("GeoTransform")
    said = " ".join(str(n) for n in said.tolist()) if isinstance(said, np.ndarray) and said.size == 6 else _text(said)
    transform = None
    if said:
        try:
            c, a, b, f, d, e = (float(part) for part in said.replace(",", " ").split())
        except ValueError:
            raise SceneError(f"{name} has GeoTransform {said!r}", "six numbers", DO) from None
        transform = Affine(a, b, c, d, e, f)
        if transform.is_degenerate:
            raise SceneError(f"{name} has GeoTransform {said!r}", "pixels with an area", DO)
    homes = (file, file.get(TABLE, file))
    axes = [next((h[key] for h in homes if key in h and is_variable(h[key])), None) for key in ("northing", "easting")]
    if any(axis is None for axis in axes):
        return transform, "GeoTransform of the file"
    if [axis.shape for axis in axes] != [(shape[0],), (shape[1],)]:
        raise SceneError(
            f"{name} has {axes[0].shape} northings and {axes[1].shape} eastings for {shape[0]} x {shape[1]} pixels",
            "one northing for each row, one easting for each column",
            DO,
        )
    if transform is not None and (transform.b or transform.d):
        return transform, "GeoTransform of the file, rotated"
    north, east = (np.asarray(axis[:], np.float64) for axis in axes)
    # single precision rounds a northing of 4,000 km to a quarter of a metre
    blurs = [
        float(np.spacing(np.float32(abs(v).max()))) if axis.dtype.itemsize < 8 else 0.0
        for v, axis in zip((north, east), axes, strict=True)
    ]
    steps = [
        _step(v, what, blur, name) for v, what, blur in zip((north, east), ("northing", "easting"), blurs, strict=True)
    ]
    if transform is None:
        dy, dx = (s if s is not None else 0.0 for s in steps)
        if not dx or not dy:
            raise SceneError(f"{name} has one row or column and no GeoTransform", "a GeoTransform", DO)
        return Affine(dx, 0.0, east[0] - dx / 2, 0.0, dy, north[0] - dy / 2), "easting and northing of the file"
    return transform, _agreed(transform, east, north, (blurs[1], blurs[0]), name)


def _step(values: np.ndarray, what: str, blur: float, name: str) -> float | None:
    if len(values) < 2:
        return None
    step = float((values[-1] - values[0]) / (len(values) - 1))
    if not np.allclose(np.diff(values), step, rtol=0, atol=abs(step) * CLOSE + blur) or step == 0:
        raise SceneError(f"{name} has a {what} that is not evenly spaced", "a regular map grid", DO)
    return step


def _agreed(transform: Any, east: np.ndarray, north: np.ndarray, blurs: tuple[float, float], name: str) -> str:
    """Compare the affine with the coordinates, which are pixel centres."""
    ends = [(east[0], north[0], 0.0, 0.0), (east[-1], north[-1], len(east) - 1.0, len(north) - 1.0)]
    shifts = np.array(
        [
            ((e - transform.c) / transform.a - column, (n - transform.f) / transform.e - row)
            for e, n, column, row in ends
        ]
    )
    close = CLOSE + np.array([blurs[0] / abs(transform.a), blurs[1] / abs(transform.e)])
    if close.max() >= 0.25:
        return "GeoTransform of the file; easting and northing are too coarse to check it"
    if (np.abs(shifts - 0.5) <= close).all():
        return "GeoTransform of the file; easting and northing are its pixel centres"
    if (np.abs(shifts) <= close).all():
        warnings.warn(
            f"{name} has an easting and northing of the first pixel that equal the origin of its GeoTransform, so one "
            "of them is half a pixel off. The GeoTransform is used as GDAL defines it, from the corner of the first "
            "pixel.",
            HsgeoWarning,
            stacklevel=2,
        )
        return "GeoTransform of the file; easting and northing are corners, or half a pixel off"
    raise SceneError(
        f"{name} has GeoTransform {tuple(transform)[:6]} and eastings {east[0]:.3f} to {east[-1]:.3f}, northings "
        f"{north[0]:.3f} to {north[-1]:.3f}, which do not fit together",
        "eastings and northings of the pixel centres of its GeoTransform",
        DO,
    )


def _swath(file: Any, shape: tuple[int, int], mapping: Any, name: str) -> Grid:
    """Check the lookup table and the positions against each other."""
    places = _places(file, shape, name)
    missing = [key for key in ("sample", "line") if key not in file[TABLE]]
    if missing or mapping is None:
        raise SceneError(
            f"{name} lacks " + (", ".join(f"{TABLE}/{key}" for key in missing) or "the map projection of its table"),
            f"{TABLE} with sample and line, and a grid mapping",
            DO,
        )
    x, y = file[TABLE]["sample"], file[TABLE]["line"]
    if x.shape != y.shape or x.ndim != 2 or x.dtype.kind not in "iu" or y.dtype.kind not in "iu":
        raise SceneError(
            f"{name} has a lookup table of {x.dtype} {x.shape} and {y.dtype} {y.shape}",
            "two grids of whole numbers",
            DO,
        )
    crs = _crs(mapping, name)
    transform, about = _placed(file, mapping, x.shape, name)
    if transform is None:
        raise SceneError(f"{name} has neither a GeoTransform nor easting and northing", "one of them", DO)
    _compare(file, (x, y), shape, places, crs, transform, name)
    table = (x.name, y.name, x.shape, crs, transform)
    lat, lon = places
    less = "; no lat and lon" if None in places else ""
    return Grid(lat=lat, lon=lon, table=table, about=f"lookup table; {about}{less}")


def _places(file: Any, shape: tuple[int, int], name: str) -> list[str | None]:
    """Return the variables of latitude and longitude."""
    places = [
        next((key for key in keys if key in file and is_variable(file[key])), None)
        for keys in (("lat", "latitude"), ("lon", "longitude"))
    ]
    for key in places:
        if key is not None and file[key].shape != shape:
            raise SceneError(
                f"{name} has {key} of shape {file[key].shape} for {shape} pixels", "one for each pixel", DO
            )
    return places


def _unmapped(file: Any, shape: tuple[int, int], name: str) -> Grid:
    """Place a cube that is on no map grid and has no lookup table by its positions alone; without them, say so."""
    lat, lon = _places(file, shape, name)
    if lat is not None and lon is not None:
        return Grid(lat=lat, lon=lon, about="lat and lon; no lookup table")
    half = "no lat and lon" if lat is lon else f"only {lat or lon}"
    warnings.warn(
        f"{name} does not say where its pixels lie: it has no map grid, no {TABLE}, and {half}. Delivered files have "
        "them; a product made of this one cannot be brought onto a map.",
        HsgeoWarning,
        stacklevel=2,
    )
    return Grid(about="none: the file does not say where its pixels lie")


def _compare(
    file: Any,
    table: tuple[Any, Any],
    shape: tuple[int, int],
    places: list[str | None],
    crs: Any,
    transform: Any,
    name: str,
) -> None:
    """Follow some cells of the lookup table to their pixels: those must exist, and lie where the cells are."""
    from rasterio.warp import transform as warp

    x, y = table
    rows = np.unique(np.linspace(0, x.shape[0] - 1, LINES + 2).round().astype(int)[1:-1])
    for row in rows:
        column, line = (np.asarray(part[int(row)], np.int64) for part in (x, y))
        direct = (column > 0) & (line > 0)
        if (column[direct] > shape[1]).any() or (line[direct] > shape[0]).any():
            raise SceneError(
                f"{name} has a lookup table that points to column {column[direct].max()}, row {line[direct].max()} of "
                f"{shape[1]} columns and {shape[0]} rows",
                "pixels of the cube",
                DO,
            )
        if None in places or not direct.any():
            continue
        cell = int(np.flatnonzero(direct)[direct.sum() // 2])
        lat, lon = (float(file[key][int(line[cell]) - 1, int(column[cell]) - 1]) for key in places)
        if not (abs(lat) <= 90 and abs(lon) <= 180):
            continue  # a pixel without position
        (east,), (north,) = warp("EPSG:4326", crs, [lon], [lat])
        there = ~transform * (east, north)
        off = float(np.hypot(there[0] - cell - 0.5, there[1] - row - 0.5))
        if off > FAR:
            raise SceneError(
                f"{name} has a lookup table and positions of pixels that lie {off:.0f} cells apart: its axes are "
                "swapped, mirrored or of another granule",
                "a lookup table that finds the pixels where lat and lon are",
                DO,
            )


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if value is None:
        return ""
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip("\0 ")
