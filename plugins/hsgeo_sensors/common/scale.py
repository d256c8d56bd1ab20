"""What one stored number is worth: the option says it, else the file, else a rule that announces itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.config import RawOptions

__all__ = ["Scale", "decide_scale", "quantity_of"]

PERCENT, PLAUSIBLE, COUNTS = 99.0, 2.0, 200.0
"""Reflectance stays below 2 (glint and snow reach 1.5), in percent below 200; x10000 lies above."""

Probe = Callable[[tuple[int, int], tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Scale:
    """``value = stored * gain + offset`` for each band of the file, and who said so.

    Parameters
    ----------
    gain, offset : numpy.ndarray, shape (band,)
        Float64, in the file's band order.
    source : str
        Kept in ``spectra.attrs["scale_source"]``.
    """

    gain: np.ndarray
    offset: np.ndarray
    source: str


def quantity_of(options: RawOptions, *texts: str | None) -> str:
    """Say whether a file holds reflectance or radiance.

    Parameters
    ----------
    options : RawOptions
        An explicit ``quantity`` rules.
    *texts : str or None
        What the file says about itself; the word radiance (and not reflectance) makes it radiance.

    Returns
    -------
    str
        ``"reflectance"`` or ``"radiance"``.
    """
    if options.quantity is not None:
        return options.quantity
    said = " ".join(text for text in texts if text).lower()
    return "radiance" if "radiance" in said and "reflectance" not in said else "reflectance"


def decide_scale(
    options: RawOptions,
    *,
    bands: int,
    shape: tuple[int, int],
    said: tuple[npt.ArrayLike, npt.ArrayLike, str] | None,
    text: str | None,
    quantity: str,
    nodata: float | None,
    probe: Probe,
    name: str,
) -> Scale:
    """Decide what the stored numbers are worth.

    In this order: ``options.scale``; gains and offsets in the file; a phrase such as ``reflectance [* 10000]`` or
    ``scaled between 0 and 10000`` in its description; radiance is taken as it is. Where the file is silent, a few
    windows are looked at: a 99th percentile up to 2 is reflectance as it is; above 200, reflectance times 10000, with
    a warning; in between nothing can be told, which is an error.

    Parameters
    ----------
    options : RawOptions
        The user's.
    bands : int
        Bands in the file.
    shape : tuple of int
        Rows and columns.
    said : tuple or None
        Gains, offsets and where in the file they stand.
    text : str or None
        Free text of the file.
    quantity : str
        ``"reflectance"`` or ``"radiance"``.
    nodata : float or None
        Stored number without meaning.
    probe : callable
        ``probe((row0, row1), (col0, col1))`` returns stored numbers ``(band, rows, columns)``.
    name : str
        The file's name for messages.

    Returns
    -------
    Scale
        Gain and offset per band.

    Raises
    ------
    SceneError
        If the scale cannot be told.
    """
    offset = np.full(bands, options.offset or 0.0)

    def constant(gain: float, source: str) -> Scale:
        return Scale(np.full(bands, gain), offset, source)

    if options.scale is not None:
        return constant(options.scale, "option scale")
    if said is not None:
        gains, offsets, source = said
        given = np.asarray(offsets, np.float64) if options.offset is None else offset
        return Scale(np.asarray(gains, np.float64), given, source)
    phrase = re.search(r"\[\s*\*\s*(\d+)\s*\]|scaled\s+between\s+0(?:\.0*)?\s+and\s+(\d+)", text or "", re.IGNORECASE)
    if phrase and quantity == "reflectance" and float(phrase[1] or phrase[2]) > 0:
        return constant(1.0 / float(phrase[1] or phrase[2]), f"the file's text {phrase[0]!r}")
    if quantity == "radiance":
        return constant(1.0, "radiance as stored")
    high = _percentile(probe, shape, nodata)
    if high is None:
        return constant(1.0, "as stored: no valid number was found to judge by")
    if high <= PLAUSIBLE:
        return constant(1.0, "as stored: the values are reflectance already")
    if high <= COUNTS:
        raise SceneError(
            f"{name} does not say how its numbers relate to reflectance, and values up to {high:.4g} could mean more "
            "than one thing",
            "a scale in the file, values up to 2 (reflectance) or well above 200 (reflectance x 10000)",
            "Say it with the reader option scale (1e-2 for percent, 1e-4 for x10000), or quantity=radiance",
        )
    warnings.warn(
        f"{name} does not say how its numbers relate to reflectance; with values up to {high:.5g} they are read as "
        "reflectance x 10000. The reader option scale=1e-4 confirms this, another scale overrides it.",
        HsgeoWarning,
        stacklevel=2,
    )
    return constant(1e-4, "rule: values above 200 are reflectance x 10000")


def _percentile(probe: Probe, shape: tuple[int, int], nodata: float | None) -> float | None:
    """Return the 99th percentile of some valid stored numbers: 3 x 3 windows, then 7 x 7 if those are empty."""
    side = 8  # pixels: 9 windows of 8 x 8 x 224 bands are 130,000 numbers, enough for a percentile
    for grid in (3, 7):
        found = []
        for i in range(grid):
            for j in range(grid):
                box = []
                for n, k in zip(shape, (i, j), strict=True):
                    start = max(0, min(n - side, round((k + 0.5) * n / grid) - side // 2))
                    box.append((start, min(n, start + side)))
                raw = probe(box[0], box[1])
                valid = np.isfinite(raw) & (raw != nodata if nodata is not None else True)
                found.append(raw[valid])
        values = np.concatenate(found)
        if values.size:
            return float(np.percentile(values, PERCENT))
    return None
