"""What one stored number is worth: the option says it, else the file, else a rule that announces itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.common.sample import Sample, windows
from hsgeo_sensors.config import RawOptions

__all__ = ["Scale", "check_scale", "decide_scale", "quantity_of", "scaled_percentile"]

PERCENT, PLAUSIBLE, COUNTS = 99.0, 2.0, 200.0
"""Reflectance stays below 2 (glint and snow reach 1.5), in percent below 200; x10000 lies above."""
FAINT = 1e-3
"""Reflectance of no land or water in all its good bands: one of 100 numbers is larger."""

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
    stated : bool
        Whether the file says it, and nobody compared it with the numbers.
    """

    gain: np.ndarray
    offset: np.ndarray
    source: str
    stated: bool = False


def quantity_of(options: RawOptions, *texts: str | None) -> str:
    """Say whether a file holds reflectance or radiance.

    Parameters
    ----------
    options : RawOptions
        An explicit ``quantity`` rules.
    *texts : str or None
        What the file says about itself; the word radiance (not irradiance, and without reflectance) makes it
        radiance.

    Returns
    -------
    str
        ``"reflectance"`` or ``"radiance"``.
    """
    if options.quantity is not None:
        return options.quantity
    said = " ".join(text for text in texts if text).lower()
    return "radiance" if re.search(r"(?<!ir)radiance", said) and "reflectance" not in said else "reflectance"


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

    def constant(gain: float, source: str, *, stated: bool = False) -> Scale:
        return Scale(np.full(bands, gain), offset, source, stated)

    if options.scale is not None:
        return constant(options.scale, "option scale")
    if said is not None:
        gains, offsets, source = said
        given = np.asarray(offsets, np.float64) if options.offset is None else offset
        return Scale(np.asarray(gains, np.float64), given, source, stated=True)
    phrase = re.search(r"\[\s*\*\s*(\d+)\s*\]|scaled\s+between\s+0(?:\.0*)?\s+and\s+(\d+)", text or "", re.IGNORECASE)
    if phrase and quantity == "reflectance" and float(phrase[1] or phrase[2]) > 0:
        return constant(1.0 / float(phrase[1] or phrase[2]), f"the file's text {phrase[0]!r}", stated=True)
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


def check_scale(scale: Scale, *, quantity: str, sample: Sample, nodata: float | None, name: str) -> None:
    """Warn where a scale that the file states makes numbers that are no reflectance: headers are copied from others.

    Parameters
    ----------
    scale : Scale
        Of the file; nothing is done where it is not ``stated``.
    quantity : str
        Nothing is done for ``"radiance"``.
    sample : Sample
        Of its numbers.
    nodata : float or None
        Stored number without meaning.
    name : str
        The file's name for messages.
    """
    if not scale.stated or quantity != "reflectance":
        return
    high = scaled_percentile(scale, sample=sample, nodata=nodata)
    if high is None or FAINT <= high <= PLAUSIBLE:
        return
    stored = _percentile(sample, sample.shape, nodata) or 0.0
    likely = "scale=1e-4: they look like reflectance x 10000" if stored > COUNTS else "scale=0.01 for percent"
    likely = "scale=1: they look like reflectance already" if stored <= PLAUSIBLE else likely
    warnings.warn(
        f"{name} is scaled by the {scale.source}, and 99 % of the reflectances looked at then lie below {high:.3g} "
        f"(stored numbers: {stored:.5g}). If that is wrong, say the right factor with the reader option scale "
        f"({likely}), or quantity=radiance.",
        HsgeoWarning,
        stacklevel=2,
    )


def scaled_percentile(scale: Scale, *, sample: Sample, nodata: float | None) -> float | None:
    """Return the 99th percentile of the values that a scale makes of a sample; zeros are left out as no measurement.

    Parameters
    ----------
    scale : Scale
        Of the file.
    sample : Sample
        Of its numbers.
    nodata : float or None
        Stored number without meaning.

    Returns
    -------
    float or None
        In the scaled unit; None where nothing valid was found.
    """
    picked = sample.read[sample.judged]
    gain, offset = (v[picked][:, None, None] for v in (scale.gain, scale.offset))

    def values(rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        raw = sample(rows, cols)
        with np.errstate(over="ignore", invalid="ignore"):
            void = raw == (0 if nodata is None else nodata)
            return np.where(void | (raw == 0), np.nan, raw * gain + offset)

    return _percentile(values, sample.shape, None)


def _percentile(probe: Probe, shape: tuple[int, int], nodata: float | None) -> float | None:
    """Return the 99th percentile of some valid stored numbers: 3 x 3 windows, then 7 x 7 if those are empty."""
    for grid in (3, 7):
        found = []
        for rows, cols in windows(shape, grid):
            raw = probe(rows, cols)
            with np.errstate(over="ignore"):  # a fill value beyond the type of the numbers
                valid = np.isfinite(raw) & (raw != nodata if nodata is not None else True)
            found.append(raw[valid])
        values = np.concatenate(found)
        if values.size:
            return float(np.percentile(values, PERCENT))
    return None
