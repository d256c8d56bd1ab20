"""What ATCOR's class map in a NEON file says about a pixel, as bits of ``quality``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.plugin import Quality

__all__ = ["CLASSES", "bit_table", "is_vegetation_map"]

CLASSES = (
    "geocoded background",
    "shadow",
    "thin cirrus (water)",
    "medium cirrus (water)",
    "thick cirrus (water)",
    "land (clear)",
    "saturated",
    "snow/ice",
    "thin cirrus (land)",
    "medium cirrus (land)",
    "thick cirrus (land)",
    "thin haze (land)",
    "medium haze (land)",
    "thin haze/glint (water)",
    "med. haze/glint (water)",
    "cloud (land)",
    "cloud (water)",
    "water",
    "cirrus cloud",
    "cirrus cloud (thick)",
    "bright",
    "topographic shadow",
    "cloud (building) shadow",
)
"""Names of the classes 0 to 22 where the file does not list them (class table of ``Haze_Cloud_Water_Map``)."""

PROBE = 64  # pixels; windows of this side at three places tell the two class maps apart


def bit_table(names: Sequence[str] | None) -> npt.NDArray[np.uint16]:
    """Return the bits for each of the 256 numbers of a byte layer.

    Haze can be corrected and is in all land pixels of some lines; glint is named together with it; the shadow of
    mountains is no flaw of the measurement. These have no bit, and neither has 241, which byte layers hold outside
    the flight line.

    Parameters
    ----------
    names : sequence of str or None
        Of the classes, from 0; None: those of `CLASSES`.

    Returns
    -------
    numpy.ndarray, shape (256,), uint16
        Bits of `hsgeo.plugin.Quality`.
    """
    table = np.zeros(256, np.uint16)
    for k, name in enumerate((names or CLASSES)[:241]):
        words = name.lower()
        if "cloud" in words and "shadow" in words:
            table[k] = Quality.CLOUD_SHADOW
        elif "cirrus" in words:
            table[k] = Quality.CIRRUS
        elif "cloud" in words:
            table[k] = Quality.CLOUD
        elif "snow" in words:
            table[k] = Quality.SNOW
        elif "saturated" in words:
            table[k] = Quality.SATURATED
    return table


def is_vegetation_map(classes: Any, vegetation: Any) -> bool:
    """Say whether the cloud map is a copy of the vegetation map, as in published bidirectional tiles.

    Its numbers 1 to 4 (water, reference, other, shadow) would then be taken for cirrus over water.

    Parameters
    ----------
    classes, vegetation : h5py.Dataset, shape (rows, columns)
        ``Haze_Cloud_Water_Map`` and ``Dark_Dense_Vegetation_Classification``.

    Returns
    -------
    bool
        True if both hold the same numbers in three windows down the middle, and not only background.
    """
    if classes.shape != vegetation.shape:
        return False
    seen = False
    for quarter in (1, 2, 3):
        box = tuple(
            slice(max(0, n * q // 4 - PROBE // 2), n * q // 4 + PROBE // 2)
            for n, q in zip(classes.shape, (quarter, 2), strict=True)
        )
        a, b = classes[box], vegetation[box]
        if not np.array_equal(a, b):
            return False
        seen |= bool(((a > 0) & (a < 241)).any())
    return seen
