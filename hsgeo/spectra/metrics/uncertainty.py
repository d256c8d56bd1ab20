"""Whether stated uncertainties are honest: coverage, width, CRPS, sparsification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["LEVELS", "ause", "coverage", "crps", "interval_coverage", "interval_width", "sparsification"]

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels of the marginal intervals that are reported."""


def interval_coverage(low: np.ndarray, high: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure how often the truth lies in stated intervals, ends included.

    Parameters
    ----------
    low, high, A_true : numpy.ndarray
        ``(pixels, endmembers)``, matched. Pixels with NaN in any are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, 0 to 1; compare with the level of the intervals.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid.
    """
    low, high, A_true = _valid(low, high, A_true)
    return np.asarray(((low <= A_true) & (A_true <= high)).mean(axis=0))


def interval_width(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Measure how wide stated intervals are: of two that cover the same, the narrower says more.

    Parameters
    ----------
    low, high : numpy.ndarray
        ``(pixels, endmembers)``. Pixels with NaN in either are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)`` mean of ``high - low``, units of abundance.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid.
    """
    low, high = _valid(low, high)
    return np.asarray((high - low).mean(axis=0))


def coverage(A: np.ndarray, std: np.ndarray, A_true: np.ndarray, *, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """Measure how often the truth lies in the central normal intervals around the estimate.

    Parameters
    ----------
    A, std, A_true : numpy.ndarray
        ``(pixels, endmembers)``, matched: estimate, its standard deviation, truth. Pixels with NaN are left out.
    levels : sequence of float
        Nominal levels, between 0 and 1.

    Returns
    -------
    numpy.ndarray
        ``(levels, endmembers)``, 0 to 1.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid.
    """
    from scipy.special import ndtri

    A, std, A_true = _valid(A, std, A_true)
    reach = [float(ndtri((1 + level) / 2)) for level in levels]
    return np.stack([interval_coverage(A - k * std, A + k * std, A_true) for k in reach])


def crps(A: np.ndarray, std: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Score normal predictive distributions: continuous ranked probability score (Gneiting and Raftery, 2007, eq. 21).

    Parameters
    ----------
    A, std, A_true : numpy.ndarray
        As in `coverage`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, mean over pixels, units of abundance; the absolute error where ``std`` is 0. Lower is better.

    Raises
    ------
    ConfigError
        As in `coverage`.
    """
    from scipy.special import ndtr

    A, std, A_true = _valid(A, std, A_true)
    error = A_true - A
    z = error / np.where(std > 0, std, 1.0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    spread = std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return np.asarray(np.where(std > 0, spread, np.abs(error)).mean(axis=0))


def sparsification(error: np.ndarray, uncertainty: np.ndarray, *, steps: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Take the most uncertain pixels away step by step, and the worst ones: the error that is left (Ilg et al., 2018).

    Parameters
    ----------
    error, uncertainty : numpy.ndarray
        ``(pixels,)``: size of the error, and its stated size. Pixels with NaN in either are left out.
    steps : int
        Shares 0, 1/steps, 2/steps, ... of the pixels are taken away.

    Returns
    -------
    stated, best : numpy.ndarray
        ``(steps,)`` RMSE of the rest over that of all, taken away by ``uncertainty`` and by ``error``; NaN where there
        is no error at all.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid.
    """
    if np.ndim(error) != 1 or np.ndim(uncertainty) != 1 or steps < 2:
        raise ConfigError(
            f"shapes {np.shape(error)}, {np.shape(uncertainty)}, {steps} steps", "(pixels,), 2 or more", "Ravel them"
        )
    first, second = _valid(error, uncertainty)
    first = np.abs(first)
    if not first.any():
        return np.full(steps, np.nan), np.full(steps, np.nan)
    count = first.size
    left = [max(1, count - (step * count) // steps) for step in range(steps)]
    whole = np.sqrt(np.mean(np.square(first)))

    def curve(rank: np.ndarray) -> np.ndarray:
        squares = np.cumsum(np.square(first[np.argsort(rank, kind="stable")]))
        return np.asarray(np.sqrt(np.array([squares[k - 1] / k for k in left])) / whole)

    return curve(second), curve(first)


def ause(error: np.ndarray, uncertainty: np.ndarray, *, steps: int = 20) -> float:
    """Measure whether the uncertain pixels are the wrong ones: area under the sparsification error curve.

    The mean over the steps of what `sparsification` returns first minus what it returns second (Ilg et al., 2018).

    Parameters
    ----------
    error, uncertainty, steps
        As in `sparsification`.

    Returns
    -------
    float
        0 for a perfect ranking; NaN where there is no error at all.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid.
    """
    stated, best = sparsification(error, uncertainty, steps=steps)
    return float(np.mean(stated - best))


def _valid(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    wide = [np.asarray(values, dtype=np.float64) for values in arrays]
    if any(values.shape != wide[0].shape for values in wide):
        raise ConfigError(
            f"arrays of shape {', '.join(str(values.shape) for values in wide)}", "the same shape", "Match them first"
        )
    good = np.logical_and.reduce([np.isfinite(values) for values in wide])
    if good.ndim > 1:
        good = good.all(axis=1)
    if not good.any():
        raise ConfigError("no pixel is valid in all arrays", "at least one", "See which pixels are NaN")
    return tuple(values[good] for values in wide)
