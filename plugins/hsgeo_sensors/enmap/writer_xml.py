"""The METADATA.XML of a synthetic EnMAP product, with what else is in a real one that a careless reader would take."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

__all__ = ["Description", "metadata"]

ANGLES = {
    "sunElevationAngle": 56.25,
    "sunAzimuthAngle": 153.5,
    "viewingZenithAngle": -7.5,  # signed: the side that the sensor looks to
    "viewingAzimuthAngle": -78.0,
    "acrossOffNadirAngle": -6.9,
    "alongOffNadirAngle": 0.4,
    "sceneAzimuthAngle": 193.0,
}
"""Degrees at the centre."""


@dataclass(frozen=True, eq=False)
class Description:
    """What `hsgeo_sensors.enmap.writer.write_enmap` wrote; its parameters say what these are.

    Parameters
    ----------
    stem, level : str
        Of the product.
    shape : tuple of int
        Rows, columns.
    epsg : int
        Of the map grid.
    origin : tuple of float
        Centre of pixel (0, 0).
    corners, ending : str
        As for the writer.
    wavelength, fwhm, gain, offset, detector, dead, mean, std : numpy.ndarray, shape (band,)
        In the order of the band numbers.
    nodata : int
        Stored for no measurement.
    """

    stem: str
    level: str
    shape: tuple[int, int]
    epsg: int
    origin: tuple[float, float]
    corners: str
    ending: str
    wavelength: np.ndarray
    fwhm: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    detector: np.ndarray
    dead: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    nodata: int


def metadata(what: Description) -> bytes:
    """Make the document.

    Parameters
    ----------
    what : Description
        The product.

    Returns
    -------
    bytes
        UTF-8.
    """
    root = ElementTree.Element("level_X")
    _leaf(root, "metadata/schema/processingLevel", what.level)
    _leaf(root, "metadata/name", f"{what.stem}-METADATA.XML")
    _leaf(root, "base/format", f"ENMAP_{what.level}")
    _leaf(root, "base/level", what.level)
    _leaf(root, "base/temporalCoverage/startTime", "2022-07-24T10:45:26.131000Z")
    _leaf(root, "base/temporalCoverage/stopTime", "2022-07-24T10:45:30.627000Z")
    height, width = what.shape
    # a swath that is turned against the map grid and touches its four sides
    swath = {
        "upper_left": (0.18 * width, 0.0),
        "upper_right": (width, 0.16 * height),
        "lower_left": (0.0, 0.84 * height),
        "lower_right": (0.82 * width, height),
    }
    _polygon(root, "base/spatialCoverage", what, swath)
    specific = ElementTree.SubElement(root, "specific")
    _leaf(specific, "numberOfVNIRBands", str(int((what.detector == "vnir").sum())))
    _leaf(specific, "numberOfSWIRBands", str(int((what.detector == "swir").sum())))
    _leaf(specific, "backgroundValue", str(what.nodata if what.level != "L2A" else 0))  # wrong in L2A, as it has been
    for name, value in ANGLES.items():
        for corner, more in (("upper_left", 0.9), ("upper_right", -0.7), ("lower_left", 0.6), ("lower_right", -0.8)):
            _leaf(specific, f"{name}/{corner}", repr(value + more))
        _leaf(specific, f"{name}/center", repr(value))
    for detector in ("vnir", "swir"):
        numbers = ",".join(str(k + 1) for k in np.flatnonzero(what.detector == detector))
        _leaf(specific, f"{detector}ProductQuality/expectedChannelsList", numbers)
    table = ElementTree.SubElement(specific, "bandCharacterisation")
    for k in range(len(what.wavelength)):
        band = ElementTree.SubElement(table, "bandID", number=str(k + 1))
        _leaf(band, "wavelengthCenterOfBand", repr(float(what.wavelength[k])))
        _leaf(band, "FWHMOfBand", repr(float(what.fwhm[k])))
        _leaf(band, "GainOfBand", repr(float(what.gain[k])))
        _leaf(band, "OffsetOfBand", repr(float(what.offset[k])))
    if what.level != "L1B":
        inset = {"edge": 0.0, "centre": 0.5, "placeholder": 0.0}[what.corners]
        low, right, bottom = inset, width - inset, height - inset
        if what.corners == "placeholder":
            right, bottom = low + 1e-3, low + 1e-3
        square = {
            "upper_left": (low, low),
            "upper_right": (right, low),
            "lower_left": (low, bottom),
            "lower_right": (right, bottom),
        }
        _polygon(specific, "spatialCoverageOfOrthoScene", what, square)
    _product(root, what)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _product(root: ElementTree.Element, what: Description) -> None:
    product = ElementTree.SubElement(root, "product")
    images = {"merge": what.detector != ""}
    if what.level == "L1B":
        images = {"vnir": what.detector == "vnir", "swir": what.detector == "swir"}
    for image, mine in images.items():
        suffix = f"_{image.upper()}" if what.level == "L1B" else ""
        _leaf(product, f"image/{image}/name", f"{what.stem}-SPECTRAL_IMAGE{suffix}{what.ending}")
        _leaf(product, f"image/{image}/channels", str(int(mine.sum())))
        _leaf(product, f"image/{image}/dimension/rows", str(what.shape[0]))
        _leaf(product, f"image/{image}/dimension/columns", str(what.shape[1]))
    if what.level != "L1B":
        zone = f"UTM_Zone{what.epsg % 100}_{'North' if what.epsg < 32700 else 'South'}"
        _leaf(product, "ortho/projection", zone)
        _leaf(product, "ortho/resolution", "30")
        _leaf(product, "ortho/resampling", "Bilinear")
    else:
        for k in range(len(what.wavelength)):  # bandID again, of something else
            band = ElementTree.Element("bandID", number=str(k + 1))
            _leaf(band, "ROW_OFF", "512.0")
            _inner(product, "navigation/RPC").append(band)
    statistics = _inner(product, "bandStatistics")
    for k in range(len(what.wavelength)):
        band = ElementTree.SubElement(statistics, "bandID", number=str(k + 1))
        _leaf(band, "wavelength", repr(float(what.wavelength[k])))
        _leaf(band, "mean", "-1000000" if what.dead[k] else repr(float(what.mean[k])))
        _leaf(band, "stdDeviation", "0" if what.dead[k] else repr(float(what.std[k])))


def _polygon(parent: ElementTree.Element, path: str, what: Description, places: dict[str, tuple[float, float]]) -> None:
    """Write corners, given as column and row (0 is the edge of the first pixel), as longitude and latitude."""
    from rasterio.warp import transform as warp

    polygon = _inner(parent, f"{path}/boundingPolygon")
    for frame in ("upper_left", "lower_left", "lower_right", "upper_right", "center"):
        column, row = np.mean(list(places.values()), axis=0) if frame == "center" else places[frame]
        east, north = what.origin[0] + 30 * (column - 0.5), what.origin[1] - 30 * (row - 0.5)
        (lon,), (lat,) = warp(f"EPSG:{what.epsg}", "EPSG:4326", [east], [north])
        point = ElementTree.SubElement(polygon, "point")
        _leaf(point, "frame", frame)
        _leaf(point, "latitude", f"{lat:.7f}")
        _leaf(point, "longitude", f"{lon:.7f}")


def _inner(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    for tag in path.split("/"):
        found = parent.find(tag)
        parent = ElementTree.SubElement(parent, tag) if found is None else found
    return parent


def _leaf(parent: ElementTree.Element, path: str, text: str) -> None:
    folder, _, tag = path.rpartition("/")
    ElementTree.SubElement(_inner(parent, folder) if folder else parent, tag).text = text
