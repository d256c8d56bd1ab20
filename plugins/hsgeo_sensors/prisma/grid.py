"""The map grid of a PRISMA L2D granule, and the checks that it says one thing.

The product does not say whether its corner attributes are pixel centres or pixel edges, and its axis order has been
read both ways. The numbers themselves tell: the corners' span, and latitudes and longitudes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.georef import quiet_crs

__all__ = ["map_grid"]

PIXEL = 30.0  # metres, the sampling of the hyperspectral cubes
FAR = 0.1  # of the scene's longer side: a geolocation off by more than that belongs to another grid

CORNERS = ("UL", "UR", "LL", "LR")


def map_grid(file: Any, swath: str, height: int, width: int, *, name: str) -> tuple[Any, Any]:
    """Return CRS and transform, after checking them against the geolocation fields.

    Parameters
    ----------
    file : h5py.File
        The granule.
    swath : str
        Path of its swath group.
    height, width : int
        Pixels.
    name : str
        For messages.

    Returns
    -------
    rasterio.crs.CRS, affine.Affine
        The transform maps (column, row) of pixel corners.

    Raises
    ------
    SceneError
        If the EPSG code is unknown, the corners fit neither centres nor edges, or latitude and longitude say that rows
        and columns are swapped, mirrored or elsewhere.
    """
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    do = "The file is damaged or of another layout than PRISMA L2D; please report it with this message"
    names = [f"Product_{c}corner_{a}" for c in CORNERS for a in ("easting", "northing")]
    missing = [n for n in (*names, "Epsg_Code") if n not in file.attrs]
    if missing:
        raise SceneError(f"{name} lacks the attributes {', '.join(missing)}", "the layout of PRISMA L2D", do)
    try:
        crs = quiet_crs(CRS.from_epsg, int(_number(file, "Epsg_Code")))
    except (CRSError, ValueError) as error:
        raise SceneError(f"{name} has Epsg_Code {file.attrs['Epsg_Code']}", "a known EPSG code", do) from error
    corner = {c: [_number(file, f"Product_{c}corner_{a}") for a in ("easting", "northing")] for c in CORNERS}
    spans = (
        (corner["UR"][0] - corner["UL"][0]) / PIXEL,
        (corner["LR"][0] - corner["LL"][0]) / PIXEL,
        (corner["UL"][1] - corner["LL"][1]) / PIXEL,
        (corner["UR"][1] - corner["LR"][1]) / PIXEL,
    )
    shift = {
        less
        for less in (0, 1)
        if np.allclose(spans, (width - less, width - less, height - less, height - less), rtol=0, atol=0.05)
    }
    if not shift:
        raise SceneError(
            f"{name} has {height} x {width} pixels of {PIXEL:g} m, and corners {spans[2]:.1f} x {spans[0]:.1f} apart",
            "corners that are pixel centres (one pixel less than the grid) or pixel edges (the same)",
            do,
        )
    half = PIXEL / 2 if 1 in shift else 0.0
    transform = Affine(PIXEL, 0.0, corner["UL"][0] - half, 0.0, -PIXEL, corner["UL"][1] + half)
    _check_orientation(file, swath, crs, transform, height, width, name=name, do=do)
    return crs, transform


def _number(file: Any, name: str) -> float:
    """Return an attribute that is a number or an array of one."""
    return float(np.ravel(file.attrs[name])[0])


def _check_orientation(
    file: Any, swath: str, crs: Any, transform: Any, height: int, width: int, *, name: str, do: str
) -> None:
    """Compare the grid with the latitudes and longitudes of four inner points (corners are padding)."""
    from rasterio.warp import transform as warp

    fields = [f"{swath}/Geolocation Fields/{n}" for n in ("Latitude", "Longitude")]
    if any(f not in file for f in fields):
        return
    found = [file[f].shape for f in fields]
    if any(shape != (height, width) for shape in found):
        raise SceneError(f"{name} has latitudes of shape {found[0]} for {height} x {width} pixels", "one each", do)
    rows = np.array([height // 4, (3 * height - 1) // 4, height // 2, height // 2])
    cols = np.array([width // 2, width // 2, width // 4, (3 * width - 1) // 4])
    lat, lon = (np.array([file[f][int(r), int(c)] for r, c in zip(rows, cols, strict=True)], float) for f in fields)
    if not (np.isfinite(lat) & np.isfinite(lon) & (np.abs(lat) <= 90) & (np.abs(lon) <= 180)).all():
        return  # filled outside the swath: nothing to compare
    if not lat.any() and not lon.any():
        return
    eastward = (lon[3] - lon[2] + 180) % 360 - 180  # across the 180th meridian, too
    if (height >= 4 and lat[0] <= lat[1]) or (width >= 4 and eastward <= 0):
        raise SceneError(
            f"{name} has latitudes that go from {lat[0]:.4f} to {lat[1]:.4f} down the rows and longitudes that go from "
            f"{lon[2]:.4f} to {lon[3]:.4f} along the columns: its axes are swapped or mirrored",
            "rows from north to south, columns from west to east",
            do,
        )
    east, north = (np.array(v) for v in warp("EPSG:4326", crs, lon, lat))
    off = np.hypot(
        east - (transform.c + (cols + 0.5) * transform.a), north - (transform.f + (rows + 0.5) * transform.e)
    )
    if off.max() > max(FAR * max(height, width), 2.0) * PIXEL:
        raise SceneError(
            f"{name} has latitudes and longitudes up to {off.max():.0f} m away from its map corners",
            "geolocation and corners of one place",
            do,
        )
