"""What the METADATA.XML of an EnMAP product says: bands, scale, detectors, angles, footprint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.xml import number_of, optional_text, parse_xml, text_of
from hsgeo_sensors.enmap.detectors import detectors

__all__ = ["CORNERS", "LEVELS", "Metadata", "read_metadata"]

LEVELS = ("L1B", "L1C", "L2A")
CORNERS = ("upper_left", "upper_right", "lower_left", "lower_right")
DEAD = (-1_000_000.0, 0.0)  # mean and standard deviation of a band that is nodata everywhere
L2A_NODATA = -32768.0
"""Stored for nodata in L2A where the raster does not say so: there ``backgroundValue`` has been missing or wrong."""


@dataclass(frozen=True, eq=False)
class Metadata:
    """The metadata of a product.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    level : str
        Of `LEVELS`.
    wavelength, fwhm, gain, offset : numpy.ndarray, shape (band,)
        Nanometres; the physical value is ``number * gain + offset``. In the order of the band numbers: that of the
        merged raster, or the VNIR bands and then the SWIR bands for L1B.
    detector : numpy.ndarray of str, shape (band,)
        ``"vnir"``, ``"swir"`` or ``"unknown"``.
    detector_source : str
        What that comes from.
    dead : numpy.ndarray of bool, shape (band,)
        Nodata in all pixels, as the statistics tell.
    nodata : float
        Stored for no measurement, where the raster does not say it.
    shapes : dict of str to tuple of int
        Rows, columns of ``merge``, or of ``vnir`` and ``swir`` for L1B, where they are said.
    angles : dict of str to float
        Degrees at the centre of the scene, zeniths from the vertical.
    time : str or None
        Start of the acquisition.
    projection : str or None
        Such as ``UTM_Zone33_North``.
    resolution : float or None
        Metres.
    footprint, ortho : dict of str to tuple of float
        Longitude, latitude of `CORNERS`: of what was measured, and of the map grid; empty where not said.
    """

    name: str
    level: str
    wavelength: np.ndarray = field(repr=False)
    fwhm: np.ndarray = field(repr=False)
    gain: np.ndarray = field(repr=False)
    offset: np.ndarray = field(repr=False)
    detector: np.ndarray = field(repr=False)
    detector_source: str
    dead: np.ndarray = field(repr=False)
    nodata: float
    shapes: dict[str, tuple[int, int]]
    angles: dict[str, float]
    time: str | None
    projection: str | None
    resolution: float | None
    footprint: dict[str, tuple[float, float]]
    ortho: dict[str, tuple[float, float]]


def read_metadata(data: bytes, *, name: str) -> Metadata:
    """Read METADATA.XML.

    Parameters
    ----------
    data : bytes
        The document.
    name : str
        Its name, for messages.

    Returns
    -------
    Metadata
        All that the reader needs.

    Raises
    ------
    SceneError
        If it is not the metadata of an EnMAP product, or incomplete.
    """
    root = parse_xml(data, name=name)
    level = text_of(root, "base/level", name=name).upper()
    if level not in LEVELS:
        raise SceneError(f"{name} is of level {level}", f"EnMAP of level {', '.join(LEVELS)}", "Get one of these")
    bands = _bands(root, name)
    count = len(bands["wavelengthCenterOfBand"])
    detector, told_by = detectors(root, level, bands["wavelengthCenterOfBand"], name)
    return Metadata(
        name=name,
        level=level,
        wavelength=bands["wavelengthCenterOfBand"],
        fwhm=bands["FWHMOfBand"],
        gain=bands["GainOfBand"],
        offset=bands["OffsetOfBand"],
        detector=detector,
        detector_source=told_by,
        dead=_dead(root, count),
        nodata=L2A_NODATA if level == "L2A" else _maybe(root, "specific/backgroundValue") or 0.0,
        shapes=_shapes(root),
        angles=_angles(root),
        time=optional_text(root, "base/temporalCoverage/startTime"),
        projection=optional_text(root, "product/ortho/projection"),
        resolution=_maybe(root, "product/ortho/resolution"),
        footprint=_corners(root, "base/spatialCoverage"),
        ortho=_corners(root, "specific/spatialCoverageOfOrthoScene"),
    )


def _bands(root: Any, name: str) -> dict[str, np.ndarray]:
    """Read the table of bands; ``bandID`` also names other things (statistics, RPC), so only this one is looked at."""
    keys = ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    rows: dict[int, list[float]] = {}
    nodes = root.findall("specific/bandCharacterisation/bandID")
    for node in nodes:
        number = node.get("number", "")
        where = f"{name}, band {number or 'without number'}"
        if not number.isdecimal() or int(number) in rows:
            raise SceneError(f"{where}: not a number of its own", "bands numbered from 1", "Download it again")
        rows[int(number)] = [number_of(node, key, name=where) for key in keys]
    if sorted(rows) != list(range(1, len(rows) + 1)) or not rows:
        raise SceneError(
            f"{name} characterises {len(rows)} bands, numbered up to {max(rows, default=0)}",
            "specific/bandCharacterisation with bands numbered from 1 without gaps",
            "Download the product again",
        )
    table = np.array([rows[k] for k in sorted(rows)], np.float64)
    if (table[:, 2] <= 0).any():
        raise SceneError(f"{name} has gains that are not above 0", "positive gains", "Download the product again")
    return dict(zip(keys, table.T, strict=True))


def _dead(root: Any, count: int) -> np.ndarray:
    dead = np.zeros(count, bool)
    for node in root.findall("product/bandStatistics/bandID"):
        number = node.get("number", "")
        if number.isdecimal() and 1 <= int(number) <= count:
            dead[int(number) - 1] = (_maybe(node, "mean"), _maybe(node, "stdDeviation")) == DEAD
    return dead


def _shapes(root: Any) -> dict[str, tuple[int, int]]:
    found = {}
    for image in ("merge", "vnir", "swir"):
        rows, columns = (_maybe(root, f"product/image/{image}/dimension/{side}") for side in ("rows", "columns"))
        if rows is not None and columns is not None:
            found[image] = (round(rows), round(columns))
    return found


def _angles(root: Any) -> dict[str, float]:
    """Return angles at the centre; the file has the sun's elevation, and signs for the side it looks to."""

    def centre(name: str) -> float:
        value = _maybe(root, f"specific/{name}/center")
        return np.nan if value is None else value

    return {
        "sun_zenith": 90.0 - centre("sunElevationAngle"),
        "sun_azimuth": centre("sunAzimuthAngle") % 360.0,
        "view_zenith": abs(centre("viewingZenithAngle")),
        "view_azimuth": centre("viewingAzimuthAngle") % 360.0,
    }


def _corners(root: Any, path: str) -> dict[str, tuple[float, float]]:
    found = {}
    for point in root.findall(f"{path}/boundingPolygon/point"):
        frame, lon, lat = optional_text(point, "frame"), _maybe(point, "longitude"), _maybe(point, "latitude")
        if frame in CORNERS and frame not in found and lon is not None and lat is not None:
            found[frame] = (lon, lat)
    return found if len(found) == len(CORNERS) else {}


def _maybe(root: Any, path: str) -> float | None:
    """Return a number that may be missing; the files write NA for what does not apply."""
    try:
        value = float(optional_text(root, path) or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
