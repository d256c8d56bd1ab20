"""The map grid of an EnMAP product, and the checks that raster and metadata say one thing.

The GeoTIFF places the pixels. The metadata holds the projection, the corners of the map grid and the footprint of
what was measured. What can be compared is, so that a raster that was mirrored, shifted or exchanged is noticed.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.enmap.metadata import CORNERS, Metadata

__all__ = ["check_grid", "epsg_of"]

FAR = 0.1  # of the scene's longer side: a footprint off by more than that belongs to another grid
CLOSE = 0.05  # pixels: what rounding to 1e-7 degree and datum can make out of equal corners
OTHER = {"Geographic": 4326, "LAEA-ETRS89": 3035}
DO = "The product is damaged or was changed; open it as it is with the reader option check_grid=false"


def epsg_of(projection: str) -> int | None:
    """Translate the metadata's name of a projection.

    Parameters
    ----------
    projection : str
        Such as ``UTM_Zone33_North``.

    Returns
    -------
    int or None
        EPSG code; None for a name that is not known.
    """
    if match := re.fullmatch(r"UTM_Zone(\d{1,2})_(North|South)", projection):
        return (32600 if match[2] == "North" else 32700) + int(match[1])
    return OTHER.get(projection)


def check_grid(crs: Any, transform: Any, shape: tuple[int, int], said: Metadata) -> str:
    """Compare the raster's grid with the metadata.

    Parameters
    ----------
    crs : rasterio.crs.CRS or None
        Of the raster.
    transform : affine.Affine
        Of the raster.
    shape : tuple of int
        Rows and columns.
    said : Metadata
        What the product says.

    Returns
    -------
    str
        What was compared, for the attributes of the scene.

    Raises
    ------
    SceneError
        If the raster is not georeferenced, not north-up, or contradicts the projection, the resolution, the corners or
        the footprint.
    """
    name = said.name
    if crs is None or transform.is_identity:
        raise SceneError(f"the raster of {name} is not georeferenced", "a GeoTIFF as delivered", "Download it again")
    if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        raise SceneError(
            f"the raster of {name} has the transform {tuple(transform)[:6]}",
            "rows to the south, columns to the east",
            DO,
        )
    compared = []
    if said.projection is not None and (code := epsg_of(said.projection)) is not None:
        compared.append("projection")
        if crs.to_epsg() != code:
            raise SceneError(
                f"the raster of {name} is in {crs.to_string()[:60]}, and the metadata say {said.projection}",
                f"EPSG:{code}",
                DO,
            )
    if said.resolution is not None and crs.is_projected:  # metres
        compared.append("resolution")
        if not np.allclose((transform.a, -transform.e), said.resolution, rtol=1e-6):
            raise SceneError(
                f"the raster of {name} has pixels of {transform.a:g} x {-transform.e:g}", f"{said.resolution:g}", DO
            )
    if said.ortho and _corners(crs, transform, shape, said):
        compared.append("corners")
    if said.footprint:
        _footprint(crs, transform, shape, said)
        compared.append("footprint")
    return ", ".join(compared) or "nothing"


def _pixels(crs: Any, transform: Any, points: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return (column, row) of the corners; whole numbers are corners of pixels."""
    from rasterio.warp import transform as warp

    lon, lat = zip(*(points[c] for c in CORNERS), strict=True)
    east, north = warp("EPSG:4326", crs, lon, lat)
    return {c: ~transform * (e, n) for c, e, n in zip(CORNERS, east, north, strict=True)}


def _corners(crs: Any, transform: Any, shape: tuple[int, int], said: Metadata) -> bool:
    """Compare the corners of the map grid, where they are told well enough: as a rectangle of just that many pixels.

    Corners one pixel less apart than the grid has pixels are centres, else edges. Whatever is not such a rectangle
    (there are products with placeholders) is no evidence.
    """
    height, width = shape
    at = _pixels(crs, transform, said.ortho)
    ul, lr = np.array(at["upper_left"]), np.array(at["lower_right"])
    expected = {"upper_right": (lr[0], ul[1]), "lower_left": (ul[0], lr[1])}
    if not all(np.allclose(at[c], place, rtol=0, atol=CLOSE) for c, place in expected.items()):
        return False
    for inset in (0.0, 0.5):
        if np.allclose(lr - ul, (width - 2 * inset, height - 2 * inset), rtol=0, atol=CLOSE):
            off = ul - inset
            if not np.allclose(off, 0, rtol=0, atol=CLOSE):
                raise SceneError(
                    f"the raster of {said.name} lies {-off[0]:+.2f} columns and {-off[1]:+.2f} rows off the corners in "
                    "the metadata",
                    "one place",
                    DO,
                )
            return True
    return False


def _footprint(crs: Any, transform: Any, shape: tuple[int, int], said: Metadata) -> None:
    """Check that the footprint fits the raster and is not mirrored; it is too coarse for more."""
    height, width = shape
    at = _pixels(crs, transform, said.footprint)
    left, right = (np.mean([at[f"{v}_{h}"][0] for v in ("upper", "lower")]) for h in ("left", "right"))
    upper, lower = (np.mean([at[f"{v}_{h}"][1] for h in ("left", "right")]) for v in ("upper", "lower"))
    columns, rows = zip(*at.values(), strict=True)
    away = max(-min(columns), -min(rows), max(columns) - width, max(rows) - height)
    if left >= right or upper >= lower or away > max(FAR * max(shape), 2.0):
        raise SceneError(
            f"the footprint in {said.name} spans columns {min(columns):.0f} to {max(columns):.0f} and rows "
            f"{min(rows):.0f} to {max(rows):.0f} of a raster of {width} x {height} pixels"
            + (", mirrored" if left >= right or upper >= lower else ""),
            "the footprint of this raster",
            DO,
        )
