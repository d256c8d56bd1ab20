"""The robust centre of spectra of one material: median direction, median length, outliers left out."""

from __future__ import annotations

import numpy as np

__all__ = ["robust_centre"]

_SIGMA = 1.4826  # MAD to the standard deviation of a Gaussian
_LIMIT = 3.0  # standard deviations from the median: one of 370 ordinary spectra is lost
_FEWEST = 5  # spectra that can tell what is usual; of fewer, none is left out
_ANGLE = 1e-3  # rad: spectra closer to the centre than this differ by no more than noise
_LENGTH = 1e-2  # relative, likewise


def robust_centre(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what spectra of one material have in common, whatever a few strangers among them.

    The direction is the median of the unit spectra, band by band, the length the median of the lengths along it.
    Spectra further from either than three standard deviations (by the median absolute deviation) are left out, and the
    centre is taken again. Brightness differs more within a material than colour does (slopes, shade), hence two steps.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(spectra, bands)``; NaN, infinite and all-dark spectra are left out.

    Returns
    -------
    centre : numpy.ndarray
        ``(bands,)`` float64 in the units of ``Y``; NaN where no spectrum is usable.
    kept : numpy.ndarray
        ``(spectra,)`` bool, those it was made of.
    """
    Y = np.asarray(Y, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.linalg.norm(Y, axis=1)
        kept = np.isfinite(length) & (length > 0)
    if not kept.any():
        return np.full(Y.shape[1], np.nan), kept
    unit = Y[kept] / length[kept, None]
    usual = np.ones(len(unit), bool)
    direction = _median(unit)
    if len(unit) >= _FEWEST:
        angle = 2 * np.arcsin(np.minimum(np.linalg.norm(unit - direction, axis=1) / 2, 1))  # exact where arccos is not
        usual = _usual(angle, _ANGLE, above=True) & _usual(np.log(length[kept]), _LENGTH, above=False)
        direction = _median(unit[usual])
    kept[kept] = usual
    return direction * float(np.median(Y[kept] @ direction)), kept


def _median(unit: np.ndarray) -> np.ndarray:
    middle = np.median(unit, axis=0)
    norm = float(np.linalg.norm(middle))
    return np.asarray(middle / norm) if norm > 0 else unit[0]  # opposite spectra have no middle: one stands for them


def _usual(values: np.ndarray, floor: float, *, above: bool) -> np.ndarray:
    """Tell which values are near their median; ``above``: small ones always are."""
    off = values - np.median(values)
    spread = _SIGMA * float(np.median(np.abs(off)))
    near = (off if above else np.abs(off)) <= _LIMIT * max(spread, floor)
    return np.asarray(near if near.any() else np.ones(len(values), bool))
