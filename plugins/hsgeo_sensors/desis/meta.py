"""What the ``METADATA.xml`` of a DESIS product says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.xml import number_of, optional_text, parse_xml

__all__ = ["AGAIN", "LARGEST", "About", "read_metadata"]

LARGEST = 32 * 2**20
"""Bytes; real files are near 2 MiB, because the response of each band stands in them."""
FILL = -32768
AGAIN = "Download the product again"
ANGLES = {"sunZenithAngle": "sun_zenith", "sunAzimuthAngle": "sun_azimuth", "sceneIncidenceAngle": "view_zenith"}


@dataclass(frozen=True, eq=False)
class About:
    """The metadata of a product.

    Parameters
    ----------
    wavelength, fwhm : numpy.ndarray, shape (band,)
        Nanometres, in the order of the image.
    gain, offset : numpy.ndarray, shape (band,)
        ``value = DN * gain + offset``.
    nodata : float
        DN of no measurement.
    time : str or None
        ISO 8601, start of the acquisition.
    angles : dict of str to float
        Degrees, as `hsgeo_sensors.common.assemble.ANGLES`.
    notes : dict of str to float
        More attributes of the scene.
    corners : tuple of (longitude, latitude)
        Of the bounding polygon, degrees; empty where the file has none.
    """

    wavelength: np.ndarray
    fwhm: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    nodata: float
    time: str | None
    angles: dict[str, float]
    notes: dict[str, float]
    corners: tuple[tuple[float, float], ...]


def read_metadata(data: bytes, *, level: str, name: str) -> About:
    """Read the metadata of a product.

    Parameters
    ----------
    data : bytes
        ``METADATA.xml``.
    level : str
        What the file's name says: ``"L1B"``, ``"L1C"`` or ``"L2A"``.
    name : str
        The file, for messages.

    Returns
    -------
    About
        What it says.

    Raises
    ------
    SceneError
        If it is no such file, of another level, or a band lacks something.
    """
    root = parse_xml(data, name=name)
    for element in root.iter():  # a default namespace stands before every name
        element.tag = element.tag.rpartition("}")[2]
    lists = root.findall(".//bandCharacterisation")
    if len(lists) != 1:
        raise SceneError(f"{name} has {len(lists)} lists of bands (bandCharacterisation)", "one", AGAIN)
    said = re.search(r"L\d[ABC]", optional_text(root, ".//productType") or "")
    if said is not None and said[0] != level:
        raise SceneError(f"{name} describes a product of level {said[0]}", f"{level}, as its name says", AGAIN)
    bands = lists[0].findall("band")  # elsewhere, too, there are elements of this name
    if not bands:
        raise SceneError(f"{name} lists no bands", "bandCharacterisation with bands in it", AGAIN)
    columns = [
        np.array([number_of(band, f"{tag}OfBand", name=name) for band in bands])
        for tag in ("wavelengthCenter", "wavelengthWidth", "gain", "offset")
    ]
    order = _order(bands, name)
    wavelength, fwhm, gain, offset = (column[order] for column in columns)
    if not (gain > 0).all():
        raise SceneError(f"{name} has a gain of {gain.min():g}", "gains above 0", AGAIN)
    background = _float(root, ".//backgroundValue")
    angles = {new: value for tag, new in ANGLES.items() if np.isfinite(value := _float(root, f".//{tag}"))}
    # the flight direction in L1B, across it in L1C and L2A: no view azimuth
    azimuth = _float(root, ".//sceneAzimuthAngle")
    return About(
        wavelength,
        np.where(fwhm > 0, fwhm, np.nan),
        gain,
        offset,
        background if np.isfinite(background) else float(FILL),
        optional_text(root, ".//temporalCoverage/startTime"),
        angles,
        {"scene_azimuth_angle": azimuth} if np.isfinite(azimuth) else {},
        _corners(root),
    )


def _order(bands: list[Element], name: str) -> np.ndarray:
    """Return the positions of the bands in the order of the image, which their numbers give."""
    numbers = [optional_text(band, "bandNumber") for band in bands]
    if all(number is None for number in numbers):
        return np.arange(len(bands))
    try:
        order = np.argsort([int(number or "") for number in numbers])
        complete = [int(numbers[k] or "") for k in order] == list(range(1, len(bands) + 1))
    except ValueError:
        complete = False
    if not complete:
        raise SceneError(f"{name} numbers its {len(bands)} bands {numbers[:3]} ...", f"1 to {len(bands)}", AGAIN)
    return order


def _corners(root: Element) -> tuple[tuple[float, float], ...]:
    points = root.findall(".//spatialCoverage/boundingPolygon/point")
    found = [(_float(point, "longitude"), _float(point, "latitude")) for point in points]
    return tuple(found) if len(found) >= 3 and np.isfinite(found).all() else ()


def _float(root: Element, path: str) -> float:
    try:
        return float(optional_text(root, path) or "nan")
    except ValueError:
        return float("nan")
