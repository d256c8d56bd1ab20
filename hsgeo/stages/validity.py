"""Which pixels count: nodata, masked, partial; the same rule for samples and tiles."""

from __future__ import annotations

import numpy as np

from hsgeo.plugin.quality import Quality

__all__ = ["IMPOSSIBLE", "MAX_MISSING", "possible", "prepare"]

IMPOSSIBLE = 10.0  # reflectance; retrievals that went wild reach hundreds, sun glint stays below
MAX_MISSING = 0.05  # share of the good bands that a pixel may miss and still be solved (design.md section 3)


def possible(quantity: str) -> float:
    """Return the largest magnitude that a value of this quantity can have."""
    return IMPOSSIBLE if quantity == "reflectance" else np.inf


def prepare(
    spectra: np.ndarray, quality: np.ndarray | None, good: np.ndarray, mask: int, limit: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Take the good bands and blank the pixels that do not count.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(band, ...)`` float32, all bands; not changed.
    quality : numpy.ndarray or None
        ``(...)`` bit field of the scene.
    good : numpy.ndarray
        ``(band,)`` bool.
    mask : int
        Quality bits that leave a pixel out.
    limit : float
        Magnitude beyond which a value is impossible, and so missing.

    Returns
    -------
    spectra : numpy.ndarray
        ``(good band, ...)``; NaN where missing, NaN in every band of a pixel that does not count.
    bits : numpy.ndarray
        ``(...)`` uint16: the scene's bits with NODATA, MASKED and PARTIAL set anew.
    """
    values = spectra[good]
    missing = np.zeros(values.shape[1:], np.intp)
    for plane in values:  # band by band: nothing else of the size of the data is held
        with np.errstate(invalid="ignore"):
            finite = np.abs(plane) <= limit if np.isfinite(limit) else np.isfinite(plane)
        if not finite.all():
            missing += ~finite
            plane[~finite] = np.nan
    bits = np.zeros(values.shape[1:], np.uint16) if quality is None else quality & np.uint16(int(Quality.MASKED) - 1)
    nodata = missing > int(MAX_MISSING * values.shape[0])
    masked = (bits & np.uint16(mask)) != 0
    bits = bits & np.uint16(~int(Quality.NODATA) & 0xFFFF)
    bits[nodata] |= np.uint16(Quality.NODATA)
    bits[masked] |= np.uint16(Quality.MASKED)
    bits[(missing > 0) & ~nodata] |= np.uint16(Quality.PARTIAL)
    values[:, nodata | masked] = np.nan
    return values, bits
