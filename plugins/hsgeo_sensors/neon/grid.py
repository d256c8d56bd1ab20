"""The map grid of a NEON file: ENVI's ``map info`` as text, an EPSG code, and the extent that proves both."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["map_grid"]

DO = "The file is damaged or of another layout than NEON's; please report it with this message"


def map_grid(map_info: str, epsg: str, extent: Any, *, height: int, width: int, name: str) -> tuple[Any, Any]:
    """Return CRS and transform, after checking that map info, EPSG code and extent agree.

    Map info ties a reference pixel (1, 1: the outer corner of the first pixel) to a point. NEON's own extent says
    whether that point is an edge: it is then as many pixels wide as the cube; centres would be one pixel less apart.

    Parameters
    ----------
    map_info : str
        ``UTM, 1.000, 1.000, easting, northing, width, height, zone, North, WGS-84, units=Meters``, maybe followed by
        the rotation.
    epsg : str
        The code as stored.
    extent : array_like or None
        West, east, south, north, metres; None where the file has none.
    height, width : int
        Of the cube, pixels.
    name : str
        Of the file, for messages.

    Returns
    -------
    rasterio.crs.CRS, affine.Affine
        The transform maps (column, row) of pixel corners.

    Raises
    ------
    SceneError
        If something cannot be read, or contradicts something else.
    """
    from affine import Affine

    parts = [part.strip() for part in map_info.split(",")]
    try:
        column, row, east, north, dx, dy = (float(v) for v in parts[1:7])
        if not (np.isfinite([column, row, east, north]).all() and dx > 0 and dy > 0):
            raise ValueError("pixels without a size")
    except ValueError as error:
        raise SceneError(
            f"{name} has a Map_Info that cannot be read: {map_info!r}",
            "projection, reference column and row, easting, northing, pixel width and height, zone, hemisphere, datum",
            DO,
        ) from error
    turned = parts[11].lower().replace("rotation", "").strip(" =") if len(parts) > 11 else "0"  # 2016: not given
    try:
        upright = float(turned) == 0
    except ValueError:
        upright = False
    if not upright:
        raise SceneError(f"{name} has a Map_Info rotated by {turned} degrees", "grids with north up", DO)
    crs = _crs(epsg, parts, name)
    left, top = east - (column - 1) * dx, north + (row - 1) * dy
    if extent is None:
        return crs, Affine(dx, 0.0, left, 0.0, -dy, top)
    west, right, south, upper = (float(v) for v in np.ravel(extent)[:4])
    spans = (right - west) / dx, (upper - south) / dy
    for less in (0, 1):
        fits = np.allclose(spans, (width - less, height - less), rtol=0, atol=0.05)  # of a pixel: rounded metres
        if fits and np.allclose((west - left, upper - top), 0, rtol=0, atol=0.05 * dx):
            return crs, Affine(dx, 0.0, left - less / 2 * dx, 0.0, -dy, top + less / 2 * dy)
    raise SceneError(
        f"{name} has {height} x {width} pixels from ({left:.2f}, {top:.2f}), and an extent of {spans[1]:.2f} x "
        f"{spans[0]:.2f} pixels from ({west:.2f}, {upper:.2f})",
        "one grid: an extent that is as large as the cube, and begins where Map_Info does",
        DO,
    )


def _crs(epsg: str, parts: list[str], name: str) -> Any:
    """Make the CRS, and compare its UTM zone and hemisphere with those of map info."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        code = int(float(epsg))
        crs = quiet_crs(CRS.from_epsg, code)
    except (CRSError, ValueError) as error:
        raise SceneError(f"{name} has the EPSG code {epsg!r}", "a known EPSG code", DO) from error
    if parts[0].upper() == "UTM" and len(parts) > 8 and parts[7].isdigit() and code // 100 in (326, 327):
        said = (327 if parts[8].lower().startswith("s") else 326) * 100 + int(parts[7])
        if said != code:
            raise SceneError(f"{name} has EPSG {code}, and zone {parts[7]} {parts[8]} in Map_Info", "one zone", DO)
    return crs
