"""Which detector measured each band of an EnMAP product: a label, believed where it fits the wavelengths.

The ground segment's lists of channels number the bands of the raster. EnPT, which makes L2A of L1B, drops and sorts
bands, writes the table of bands anew and leaves the lists of L1B in the file, where they number other bands.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.xml import number_of, optional_text

__all__ = ["UNKNOWN", "detectors", "interleave"]

SWIR_FROM, VNIR_TO = 900.0, 1000.0
"""Nanometres, as the mission states them (measured: 902, 993). Between them a wavelength does not tell the detector."""
AROUND = 15.0  # nm: a neighbour on either side of that range
CLOSE = 5.0
"""Nanometres. There the bands of one detector are 8 (VNIR) or 10 (SWIR) apart; where those of both are mixed, one of
the two distances that a band cuts from such a gap is below 4.1."""
UNKNOWN = "unknown"


def detectors(root: Any, level: str, wavelength: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Tell each band's detector.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        METADATA.XML.
    level : str
        L1B has an image of each detector, the others one of both.
    wavelength : numpy.ndarray, shape (band,)
        Nanometres, in the order of the band numbers.
    name : str
        Of the file, for messages.

    Returns
    -------
    numpy.ndarray of str, shape (band,)
        ``"vnir"``, ``"swir"``, or `UNKNOWN` where neither the lists nor the wavelength tell it.
    str
        What it comes from.

    Raises
    ------
    SceneError
        If the images of L1B do not hold as many bands as are characterised.
    """
    if level == "L1B":
        return _by_images(root, len(wavelength), name), "the images"
    listed = _by_lists(root, len(wavelength))
    if listed is not None and _fits(listed, wavelength):
        return listed, "expectedChannelsList"
    certain = np.select([wavelength < SWIR_FROM, wavelength > VNIR_TO], ["vnir", "swir"], UNKNOWN)
    return certain, f"wavelength; expectedChannelsList {'is of other bands' if listed is not None else 'does not tell'}"


def interleave(wavelength: np.ndarray) -> bool:
    """Tell whether bands of both detectors are mixed where both measure.

    Parameters
    ----------
    wavelength : numpy.ndarray, shape (band,)
        Nanometres.

    Returns
    -------
    bool
        False where one detector gave way, also where the last band of one touches the first of the other.
    """
    return bool((_distances(wavelength) < CLOSE).sum() > 1)


def _by_images(root: Any, count: int, name: str) -> np.ndarray:
    """Take as many bands as each image has: this decides which numbers scale which image, so it has to be right."""
    vnir = round(number_of(root, "product/image/vnir/channels", name=name))
    swir = round(number_of(root, "product/image/swir/channels", name=name))
    if vnir + swir != count or min(vnir, swir) < 1:
        raise SceneError(
            f"{name} has images of {vnir} and {swir} bands, and characterises {count}",
            "bands that add up",
            "Download the product again",
        )
    return np.repeat(np.array(["vnir", "swir"]), (vnir, swir))


def _by_lists(root: Any, count: int) -> np.ndarray | None:
    """Return what the lists say; an empty label where they are of other bands, None where there are none."""
    labels = np.full(count, "", dtype="<U7")
    said = [optional_text(root, f"specific/{d}ProductQuality/expectedChannelsList") or "" for d in ("vnir", "swir")]
    vnir, swir = ({int(number) for number in re.findall(r"\d{1,6}", text)} for text in said)
    if not vnir or not swir:
        return None
    if not vnir & swir and vnir | swir == set(range(1, count + 1)):
        for label, numbers in (("vnir", vnir), ("swir", swir)):
            labels[np.array(sorted(numbers)) - 1] = label
    return labels


def _fits(labels: np.ndarray, wavelength: np.ndarray) -> bool:
    vnir, swir = wavelength[labels == "vnir"], wavelength[labels == "swir"]
    if not len(vnir) or not len(swir) or vnir.max() > VNIR_TO or swir.min() < SWIR_FROM:
        return False
    return all((_distances(own) >= CLOSE).all() for own in (vnir, swir))


def _distances(wavelength: np.ndarray) -> np.ndarray:
    """Return the distances of neighbours in and around the range in which both detectors measure."""
    inside = (wavelength > SWIR_FROM - AROUND) & (wavelength < VNIR_TO + AROUND)
    return np.diff(np.sort(wavelength[inside]))
