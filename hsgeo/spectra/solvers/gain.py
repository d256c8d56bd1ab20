"""Scale-invariant unmixing: each pixel has its own brightness, and the abundances are what is left without it."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.api import nnls
from hsgeo.spectra.solvers.arrays import as_numbers, precision

__all__ = ["scls", "split_gain"]


def scls(Y: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate abundances that sum to one, and the gain of each pixel (scaled constrained least squares).

    The model is ``y = s E a`` with ``a >= 0``, ``sum(a) = 1`` and ``s >= 0`` (Veganzones et al., 2014). With
    ``x = s a`` this is `nnls`; then ``s = sum(x)`` and ``a = x / s``, which is exact. It is the model to use with
    endmembers whose lengths mean nothing (scale ``peak``), and with relief and shade.

    Parameters
    ----------
    Y : numpy.ndarray
        Data ``(pixels, bands)``. Masked and non-finite values are missing: the pixel is solved on its other bands.
    E : numpy.ndarray
        Endmembers ``(bands, endmembers)``, finite, 1 to 64. A factor on the data moves into the gain; a factor on
        one endmember changes its abundance, one on all of them the gain only.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(pixels, endmembers)``. NaN where the gain is 0: a pixel that is black, or in which nothing
        of the endmembers is found, has no composition, and equal shares would invent one.
    gain : numpy.ndarray
        ``(pixels,)``, in units of the data per unit of the endmembers; NaN where no band is valid.

    Raises
    ------
    ConfigError
        When shapes do not fit, or the endmembers are not finite or more than 64.
    """
    X = nnls(Y, E)
    A, gain = split_gain(X.T)
    return np.ascontiguousarray(A.T), gain


def split_gain(X: np.ndarray, *, least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Split non-negative amounts into abundances that sum to one and a gain; the block form of `scls`.

    Parameters
    ----------
    X : numpy.ndarray
        ``(endmembers, pixels)``, not negative; NaN stays NaN.
    least : float
        A gain of no more than this is none at all; above 0 where rounding leaves a trace of what is not there.

    Returns
    -------
    A : numpy.ndarray
        ``X / gain``, NaN where the gain is 0; float32 or float64, as X.
    gain : numpy.ndarray
        ``(pixels,)`` sum over the endmembers, infinite beyond the range; float32 or float64, as X.

    Raises
    ------
    ConfigError
        When X is no matrix with an endmember.
    """
    X = as_numbers(X, name="X")
    if X.ndim != 2 or not X.shape[0]:
        raise ConfigError(f"the amounts have the shape {X.shape}", "(endmembers, pixels), at least one endmember")
    total = np.zeros(X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for row in X:  # one after the other: the same bits wherever a pixel stands
            total += row
    total[total <= least] = 0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        A = np.where(total > 0, X / np.where(total > 0, total, 1.0), np.nan)
        return A.astype(precision(X)), total.astype(precision(X))
