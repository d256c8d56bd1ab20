"""Where the pixels of an EMIT granule lie: latitudes, longitudes, and the lookup table with its own map grid.

The ``geotransform`` of the file is that of the table (ortho grid), not of the swath. Table and geolocation come from
one computation, so they must agree; a table that is counted from the wrong side would put every abundance elsewhere.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.common.assemble import Lookup
from hsgeo_sensors.common.georef import quiet_crs
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.emit.companions import text

__all__ = ["Plane", "geolocation", "lookup_table"]

SAMPLES = 40
"""Rows and columns of the table that are looked at: 1600 cells, a tenth of a second on a full-size granule."""
FAR = 2.0
"""Cells between a cell and the pixel it points to, in the middle of the sample. Both are near 60 m: half a cell is
normal, holes are filled from a neighbour, and what counts from another side or corner is off by far more."""
AGAIN = "The file contradicts itself; download it again, and please report it if that does not help"


class Plane(LazyRaster):
    """One two-dimensional dataset of a netCDF-4 file: fill becomes NaN, or 0 where the numbers are integers.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    dataset : str
        Its place in the file.
    shape : tuple of int
        Rows and columns.
    dtype : numpy dtype
        Of the values.
    fill : float or None
        Stored number that means nothing.
    """

    def __init__(self, path: Path, dataset: str, shape: tuple[int, int], dtype: Any, fill: float | None) -> None:
        super().__init__(path, shape, dtype)
        self.dataset, self.fill = dataset, fill

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box."""
        with open_hdf5(self.path) as file:
            values = file[self.dataset][rows[0] : rows[1], cols[0] : cols[1]]
        values = (_whole(values) if self.dtype.kind == "i" else values).astype(self.dtype, copy=False)
        if self.fill is not None:
            values[values == self.fill] = np.nan if self.dtype.kind == "f" else 0
        return values


def _whole(values: np.ndarray) -> np.ndarray:
    """Return numbers of a table without NaN: xarray makes floats of integers that have a fill value."""
    return np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values


def geolocation(file: Any, path: Path, shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return latitudes and longitudes of the pixel centres, lazily.

    Parameters
    ----------
    file : h5py.File
        The granule.
    path : pathlib.Path
        Its path.
    shape : tuple of int
        Rows and columns of the swath.

    Returns
    -------
    tuple of Plane
        ``lat, lon``; degrees, float64, NaN where unknown.

    Raises
    ------
    SceneError
        If they are missing or of another size or type.
    """
    lat, lon = (_plane(file, path, f"location/{name}", shape, "f", np.float64) for name in ("lat", "lon"))
    return lat, lon


def lookup_table(file: Any, path: Path, lat: Plane, lon: Plane) -> Lookup | None:
    """Return the lookup table with its grid, after comparing it with the geolocation of the pixels.

    Parameters
    ----------
    file : h5py.File
        The granule.
    path : pathlib.Path
        Its path.
    lat, lon : Plane
        From `geolocation`.

    Returns
    -------
    Lookup or None
        Counted from 1, 0 where no pixel belongs. None where the file has no table, and with a warning where it is that
        of a larger swath, as in a file that was cut: latitude and longitude of the pixels place them.

    Raises
    ------
    SceneError
        If half of the table, its geotransform or reference system is missing or unreadable, or it says that pixels lie
        elsewhere than their latitude and longitude do.
    """
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if not any(f"location/{name}" in file for name in ("glt_x", "glt_y")):
        return None
    missing = [name for name in ("geotransform", "spatial_ref") if name not in file.attrs]
    if missing:
        raise SceneError(f"{path} lacks the attributes {', '.join(missing)}", "those of the ortho grid", AGAIN)
    numbers = np.ravel(file.attrs["geotransform"])
    if numbers.shape != (6,) or numbers.dtype.kind not in "iuf":
        raise SceneError(f"{path} has a geotransform of {numbers}", "six numbers in GDAL's order", AGAIN)
    transform = Affine.from_gdal(*(float(v) for v in numbers))
    if transform.is_degenerate:
        raise SceneError(f"{path} has a geotransform of {numbers}", "cells of some size", AGAIN)
    try:
        crs = quiet_crs(CRS.from_wkt, text(file.attrs["spatial_ref"]))
    except CRSError as error:
        raise SceneError(f"{path} has an unreadable spatial_ref: {error}", "well-known text of a CRS", AGAIN) from error
    shape = getattr(file.get("location/glt_x"), "shape", None)
    x, y = (_plane(file, path, f"location/{name}", shape, "iuf", np.int32) for name in ("glt_x", "glt_y"))
    return Lookup(x, y, crs, transform) if _check(file, path, x, y, transform, lat, lon) else None


def _plane(file: Any, path: Path, name: str, shape: Any, kinds: str, dtype: Any) -> Plane:
    found = file.get(name)
    if found is None or getattr(found, "ndim", 0) != 2 or found.shape != shape or found.dtype.kind not in kinds:
        said = "nothing" if found is None else f"{getattr(found, 'dtype', 'a group')} {getattr(found, 'shape', '')}"
        what = "whole numbers" if "i" in kinds else "floats"
        raise SceneError(f"{path} has {said} at {name}", f"{what} {shape or '(ortho_y, ortho_x)'}", "Download it again")
    fill = found.attrs.get("_FillValue")
    return Plane(path, name, found.shape, dtype, None if fill is None else float(np.ravel(fill)[0]))


def _check(file: Any, path: Path, x: Plane, y: Plane, transform: Any, lat: Plane, lon: Plane) -> bool:
    """Compare some cells of the table with the geolocation of the pixels they point to; False: of a larger swath."""
    steps = [max(1, n // SAMPLES) for n in x.shape]
    height, width = lat.shape
    far_column, column = _sampled(file, x, steps)
    far_row, row = _sampled(file, y, steps)
    if not ((column == np.rint(column)).all() and (row == np.rint(row)).all()):
        raise SceneError(f"{path} has a lookup table with fractions of pixels", "whole numbers", AGAIN)
    column, row = column.astype(np.int64), row.astype(np.int64)
    used = (column != 0) & (row != 0)
    i, j = np.nonzero(used)
    column, row = np.abs(column[used]) - 1, np.abs(row[used]) - 1
    if far_row > height or far_column > width:
        warnings.warn(
            f"{path} has a lookup table that points to row {far_row}, column {far_column} of a swath of "
            f"{height} x {width}: it was cut without its table, which is left out. Latitude and longitude of each "
            "pixel remain; they place it, on a UTM grid by default.",
            HsgeoWarning,
            stacklevel=2,
        )
        return False
    chosen = np.unique(np.linspace(0, len(row) - 1, 64).astype(int)) if len(row) else np.zeros(0, int)
    i, j, row, column = ((v[chosen]) for v in (i * steps[0], j * steps[1], row, column))
    off = _cells_off(file, transform, lat, lon, (i, j), (row, column))
    if off is None or off <= FAR:
        return True
    mirrored = _cells_off(file, transform, lat, lon, (i, j), (row, width - 1 - column))
    agrees = mirrored is not None and mirrored <= FAR
    why = "; counted from the other side of the swath it would agree" if agrees else ""
    raise SceneError(
        f"{path} has a lookup table whose cells lie {off:.1f} cells from the pixels they point to{why}",
        f"at most {FAR:g}: location/glt_x and glt_y agree with location/lon and lat",
        AGAIN,
    )


def _sampled(file: Any, table: Plane, steps: list[int]) -> tuple[int, np.ndarray]:
    """Return the largest position in a table, of which a cut swath tells by one row too many, and some of its cells."""
    whole = file[table.dataset][:]  # 20 MB, a tenth of a second
    used = whole if table.fill is None else np.where(whole == table.fill, 0, whole)
    largest = np.nanmax(np.abs(used), initial=0)
    return int(largest), _whole(used[:: steps[0], :: steps[1]])


def _cells_off(file: Any, transform: Any, lat: Plane, lon: Plane, cells: Any, pixels: Any) -> float | None:
    """Return the median distance, in cells, between cells and the places of pixels; None if no place is known."""
    # whole, 13 MB each: of a compressed one each single number would inflate a chunk again
    east, north = (file[p.dataset][:][pixels].astype(np.float64) for p in (lon, lat))
    known = np.isfinite(east) & np.isfinite(north) & (east != lon.fill) & (north != lat.fill)
    if not known.any():
        return None
    j, i = cells[1] + 0.5, cells[0] + 0.5
    centre_east = transform.a * j + transform.b * i + transform.c
    centre_north = transform.d * j + transform.e * i + transform.f
    step_east = (east - centre_east + 180.0) % 360.0 - 180.0  # a swath may cross the date line
    inverse = ~transform
    dx = inverse.a * step_east + inverse.b * (north - centre_north)
    dy = inverse.d * step_east + inverse.e * (north - centre_north)
    return float(np.median(np.hypot(dx, dy)[known]))
