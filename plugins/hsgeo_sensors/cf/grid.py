"""Where the pixels of a CF variable lie: which axis is rows, the map grid with its half pixel checked, or a swath."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.cf.attributes import crs_of_attributes, transform_of_attributes
from hsgeo_sensors.cf.bands import Spectral
from hsgeo_sensors.cf.packing import packing_of, unpacked
from hsgeo_sensors.cf.store import Store, Variable
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["Grid", "find_grid"]

Y_NAMES = (
    "y", "latitude", "lat", "northing", "row", "rows", "line", "lines", "downtrack", "along_track", "ydim", "yc", "nrow"
)  # fmt: skip
X_NAMES = (
    "x", "longitude", "lon", "easting", "col", "cols", "column", "columns", "sample", "samples", "crosstrack",
    "across_track", "xdim", "xc", "ncol",
)  # fmt: skip
Y_STANDARD = ("projection_y_coordinate", "latitude", "grid_latitude")
X_STANDARD = ("projection_x_coordinate", "longitude", "grid_longitude")
POLE = 90.0  # degrees: what lies beyond is no latitude, whatever a label says
EVEN = 0.01  # pixels by which centres may be off a regular grid: rounding
SAME = 0.01  # pixels by which GeoTransform and coordinates may differ


class Grid(NamedTuple):
    """Rows, columns and their place.

    Parameters
    ----------
    y, x : int
        Axes of the spectral variable.
    crs, transform : object or None
        As rasterio and affine have them; the transform maps (column, row) of pixel corners.
    lat, lon : Variable or None
        Of a swath, along both axes.
    why : str
        What told it.
    """

    y: int
    x: int
    crs: Any
    transform: Any
    lat: Variable | None
    lon: Variable | None
    why: str


def find_grid(store: Store, spectral: Spectral, *, grid: str | None) -> Grid:
    """Find the place of the pixels.

    Parameters
    ----------
    store : Store
        The file.
    spectral : Spectral
        Its spectral variable.
    grid : {"coordinates", "geotransform"} or None
        Which of the two rules where they disagree; None: that is an error.

    Returns
    -------
    Grid
        The place, as far as the file tells it.

    Raises
    ------
    SceneError
        If coordinates are uneven, the CRS is unknown, or GeoTransform and coordinates disagree.
    """
    variable = spectral.variable
    others = [k for k, n in enumerate(variable.shape) if k != spectral.axis and (len(variable.shape) == 3 or n > 1)]
    first, second = (_coordinate(store, variable, k) for k in others)
    roles = [_role(variable.dims[k], c) for k, c in zip(others, (first, second), strict=True)]
    turned = roles in (["x", "y"], ["x", ""], ["", "y"])
    y, x = (others[1], others[0]) if turned else (others[0], others[1])
    cy, cx = (second, first) if turned else (first, second)
    why = "rows and columns by name" if any(roles) else "rows before columns, as stored: their dims have no known names"
    lat, lon = (_swath(store, variable, (y, x), what) for what in ("latitude", "longitude"))
    mapping = _mapping(store, variable)
    crs = _crs(mapping, str(store.path)) if mapping is not None else None
    said = _geotransform(mapping, variable)
    placed = cy is not None and cx is not None and not _counted(store, cy, cx)
    if said is None and not placed:
        said = transform_of_attributes(store, variable)
    if crs is None and (placed or said is not None) and (found := crs_of_attributes(store, variable)) is not None:
        extent = _values(store, cy) if placed else np.array([said.f])
        crs = None if found.is_geographic and np.abs(extent).max() > POLE else found
    if said is not None and (said.b != 0 or said.d != 0):
        return Grid(y, x, crs, said, lat, lon, f"{why}; rotated GeoTransform")
    seen = None
    if cy is not None and cx is not None and (placed or not (crs is None and said is None)):
        seen = _from_centres(store, cy, cx, single=said)
        if crs is None and _degrees(cy) and _degrees(cx):
            from rasterio.crs import CRS

            crs = CRS.from_epsg(4326)
    both = said is not None and seen is not None and grid is None
    if both and _agree(said, seen, variable.shape[y], variable.shape[x], str(store.path)):
        said, why = None, f"{why}; GeoTransform of the image before it was cut"
    if said is not None and (seen is None or grid != "coordinates"):
        return Grid(y, x, crs, said, lat, lon, f"{why}; GeoTransform")
    if seen is not None:
        return Grid(y, x, crs, seen, lat, lon, f"{why}; centres {cy.path if cy else ''} and {cx.path if cx else ''}")
    if lat is not None and lon is not None:
        return Grid(y, x, None, None, lat, lon, f"{why}; swath with {lat.path} and {lon.path}")
    if crs is not None:
        warnings.warn(
            HsgeoWarning(
                f"{store.path} names a reference system, but has no {'x' if cx is None else 'y'} coordinates on the "
                "grid: the scene has no place, and neither will what is made of it."
            ),
            stacklevel=2,
        )
    return Grid(y, x, None, None, None, None, f"{why}; no place" + (": a CRS without coordinates" if crs else ""))


def _coordinate(store: Store, variable: Variable, axis: int) -> Variable | None:
    """Return the 1-D coordinate of a dim: named like it, or with the standard name of one."""
    dim = variable.dims[axis]
    along = [
        v
        for v in store.variables.values()
        if v.dims == (dim,) and v.shape == (variable.shape[axis],) and v.dtype.kind in "iuf"
    ]
    known = [v for v in along if v.text("standard_name") in (*Y_STANDARD, *X_STANDARD) or v.text("axis") in ("x", "y")]
    named = [v for v in along if v.path == dim or v.name == dim.rpartition("/")[2]]
    if dim.startswith("#"):  # dims without names: only coordinates that say what they are, or are named so
        named = [v for v in along if v.name.lower() in (*Y_NAMES, *X_NAMES)]
        if len(known or named) > 1:
            return None
    return next(iter(known or named), None)


def _role(dim: str, coordinate: Variable | None) -> str:
    if coordinate is not None:
        standard, axis, name = coordinate.text("standard_name"), coordinate.text("axis"), coordinate.name.lower()
        if standard in Y_STANDARD or axis == "y" or name in Y_NAMES:
            return "y"
        if standard in X_STANDARD or axis == "x" or name in X_NAMES:
            return "x"
    name = dim.rpartition("/")[2].lower()
    return "y" if name in Y_NAMES else "x" if name in X_NAMES else ""


def _swath(store: Store, variable: Variable, axes: tuple[int, int], what: str) -> Variable | None:
    """Return the 2-D latitudes or longitudes along both dims."""
    dims = {variable.dims[k] for k in axes}
    names = (what, what[:3])
    found = [
        v
        for v in store.variables.values()
        if len(v.dims) == 2
        and set(v.dims) == dims
        and (v.dtype.kind == "f" or (v.dtype.kind in "iu" and packing_of(v) != (1.0, 0.0)))
        and (v.text("standard_name") == what or v.name.lower() in names)
    ]
    return found[0] if found else None


def _mapping(store: Store, variable: Variable) -> Variable | None:
    """Return the grid mapping that a variable names, else one by the usual names at the root or in its group."""
    group = variable.path.rpartition("/")[0]
    named = str(variable.attrs.get("grid_mapping", "")).split(":")[0].split()
    for name in (*named[:1], "spatial_ref", "crs"):
        place = group
        while True:  # in the group, and in those above it
            path = f"{place}/{name}".lstrip("/")
            if path in store.variables:
                return store.variables[path]
            if not place:
                break
            place = place.rpartition("/")[0]
    return None


def _crs(mapping: Variable, name: str) -> Any:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    for key in ("crs_wkt", "spatial_ref"):
        if str(mapping.attrs.get(key, "")).strip():
            try:
                return quiet_crs(CRS.from_user_input, str(mapping.attrs[key]))
            except CRSError as error:
                raise SceneError(
                    f"{name} has a grid mapping {mapping.path} whose {key} cannot be read: {error}",
                    "a CRS as WKT",
                    "Repair the file",
                ) from error
    if not mapping.text("grid_mapping_name"):
        return None
    import pyproj

    try:
        return quiet_crs(CRS.from_wkt, pyproj.CRS.from_cf(dict(mapping.attrs)).to_wkt())
    except (pyproj.exceptions.CRSError, CRSError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{name} has a grid mapping {mapping.path} of {mapping.attrs['grid_mapping_name']!r} that cannot be read: "
            f"{type(error).__name__}: {error}",
            "a grid mapping of CF with all its parameters, or crs_wkt",
            "Repair the file",
        ) from error


def _geotransform(mapping: Variable | None, variable: Variable) -> Any:
    from affine import Affine

    for attrs in (mapping.attrs if mapping is not None else {}, variable.attrs):
        value = attrs.get("GeoTransform")
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            parts = value.replace(",", " ").split() if isinstance(value, str) else np.ravel(value)
            numbers = [float(v) for v in parts]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != 6:
            raise SceneError(f"GeoTransform is {value!r}", "six numbers, in the order of GDAL", "Repair the file")
        return Affine.from_gdal(*numbers)
    return None


def _values(store: Store, variable: Variable) -> np.ndarray:
    """Return coordinates in the unit of the CRS: unpacked, kilometres as metres."""
    values = unpacked(store, variable, holes=False)
    units = variable.text("units")
    if units in ("rad", "radian", "radians"):
        raise SceneError(
            f"{store.path} has {variable.path} in radians (scanning angles of a geostationary view)",
            "map coordinates in metres or degrees",
            "Warp it to a map grid first, with gdalwarp",
        )
    return values * (1e3 if units in ("km", "kilometer", "kilometre", "kilometers", "kilometres") else 1.0)


def _degrees(variable: Variable) -> bool:
    return (
        variable.text("units").startswith("degree")
        or variable.text("standard_name") in ("latitude", "longitude")
        or (variable.name.lower() in ("lat", "lon", "latitude", "longitude") and not variable.text("units"))
    )


def _counted(store: Store, cy: Variable, cx: Variable) -> bool:
    """Tell whether coordinates only count pixels: 0, 1, 2, ... or 0.5, 1.5, ... without a unit."""
    for c in (cy, cx):
        values = unpacked(store, c, holes=False)
        if c.text("units") not in ("", "1") or not np.array_equal(values - values[0], np.arange(len(values))):
            return False
        if values[0] not in (0.0, 0.5, 1.0):
            return False
    return True


def _from_centres(store: Store, cy: Variable, cx: Variable, *, single: Any) -> Any:
    """Return the transform of evenly spaced pixel centres."""
    from affine import Affine

    out = []
    for c, step in ((cx, single.a if single is not None else None), (cy, single.e if single is not None else None)):
        values = _values(store, c)
        if len(values) > 1:
            step = (values[-1] - values[0]) / (len(values) - 1)
        if step is None or not np.isfinite(values).all() or step == 0:
            raise SceneError(
                f"{store.path} has {c.path} from {values[0]:g} to {values[-1]:g}, {len(values)} of them",
                "at least two different pixel centres",
                "Repair the file, or open it without: drop the coordinate",
            )
        line = values[0] + step * np.arange(len(values))
        rounding = 2 * np.spacing(np.abs(values).max().astype(c.dtype)) if c.dtype.kind == "f" else 0.0
        if np.abs(values - line).max() > EVEN * abs(step) + rounding:
            raise SceneError(
                f"{store.path} has {c.path} that is not evenly spaced",
                "pixel centres of a regular grid, or a swath with latitudes and longitudes of every pixel",
                "Warp it to a regular grid first",
            )
        out.append((values[0] - step / 2, step))
    (left, dx), (top, dy) = out
    return Affine(dx, 0.0, float(left), 0.0, dy, float(top))


def _agree(said: Any, seen: Any, height: int, width: int, name: str) -> bool:
    """Check that corners by GeoTransform and by coordinates are the same; return whether whole pixels lie between.

    Who cuts with xarray cuts the coordinates alone. They are right then, as GDAL and rioxarray take it too.
    """
    both = []
    for column, row in ((0, 0), (width, height)):
        (a, b), (c, d) = said * (column, row), seen * (column, row)
        both.append(((a - c) / seen.a, (b - d) / seen.e))
    whole = np.round(both[0])
    if whole.any() and np.abs(np.array(both) - whole).max() <= SAME:
        return True
    for off in both:
        if max(map(abs, off)) > SAME:
            half = any(abs(abs(v) - 0.5) < SAME for v in off)
            raise SceneError(
                f"{name} has a GeoTransform that is {off[0]:+.2f} columns and {off[1]:+.2f} rows away from its "
                "coordinates" + (" (one of them means pixel corners where the other means centres)" if half else ""),
                "both of one grid: x and y are pixel centres, GeoTransform begins at the corner of the first pixel",
                "Say which is right with the reader option grid=coordinates or grid=geotransform",
            )
    return False
