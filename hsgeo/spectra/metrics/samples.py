"""What a handful of posterior samples states: quantiles, central intervals, CRPS; exact for few samples."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["crps_samples", "sample_interval", "sample_quantile"]


def sample_quantile(samples: np.ndarray, level: float) -> np.ndarray:
    """Estimate a quantile from few samples, such that new draws fall below it as often as it says.

    The ``k``-th smallest of ``K`` exchangeable draws has the next draw below it with probability ``k / (K + 1)``, so
    the quantile lies at position ``level * (K + 1)``, linear between draws (type 6 of Hyndman and Fan, 1996). numpy's
    default puts it at ``level * (K - 1) + 1``, which makes intervals too short: 90 % ones of 16 draws cover 81 %.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(samples, ...)``; NaN in any gives NaN.
    level : float
        0 to 1. Beyond ``1 / (K + 1)`` and ``K / (K + 1)``: the smallest and the largest draw.

    Returns
    -------
    numpy.ndarray
        ``(...)`` float64.

    Raises
    ------
    ConfigError
        There is no sample, or the level is none.
    """
    return _at(np.sort(_checked(samples, level), axis=0), level)


def sample_interval(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the central interval that samples state.

    It covers ``level`` of further draws from the same distribution where ``(1 - level) / 2 >= 1 / (K + 1)``, that is
    from 3, 9, 19 and 39 samples on for 50, 80, 90 and 95 % (a little more where the ends lie between draws: 80 % ones
    of 16 draws cover 81.5 %); with fewer it is the range of the draws, which covers ``(K - 1) / (K + 1)``.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(samples, ...)``.
    level : float
        Share inside, 0 to 1.

    Returns
    -------
    low, high : numpy.ndarray
        ``(...)`` float64 each: quantiles ``(1 - level) / 2`` and ``(1 + level) / 2`` of `sample_quantile`.

    Raises
    ------
    ConfigError
        As in `sample_quantile`.
    """
    ranked = np.sort(_checked(samples, level), axis=0)
    return _at(ranked, (1 - level) / 2), _at(ranked, (1 + level) / 2)


def crps_samples(samples: np.ndarray, A_true: np.ndarray, *, fair: bool = True) -> np.ndarray:
    """Score samples: continuous ranked probability score (Gneiting and Raftery, 2007, eq. 21).

    ``mean |x_i - a| - sum_ij |x_i - x_j| / (2 K (K - 1))``, whose expectation is the score of the distribution that
    the ``K`` samples come from, whatever ``K`` (Ferro, 2014); not fair: divided by ``2 K^2``, the score of the
    empirical distribution, which favours many samples.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(samples, pixels, endmembers)``.
    A_true : numpy.ndarray
        ``(pixels, endmembers)``, matched. Pixels with NaN in any are left out.
    fair : bool
        As above. One sample is a plain estimate either way: the score is its absolute error.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, mean over pixels, units of abundance. Lower is better; a fair score of a single pixel can be
        below 0.

    Raises
    ------
    ConfigError
        Shapes differ, there is no sample, or no pixel is valid.
    """
    draws, truth = _checked(samples, 0.5), np.asarray(A_true, np.float64)
    if draws.shape[1:] != truth.shape or truth.ndim != 2:
        raise ConfigError(
            f"samples {draws.shape} and truth {truth.shape}",
            "(samples, pixels, endmembers) and (pixels, endmembers)",
            "Match them first",
        )
    good = np.isfinite(truth).all(axis=1) & np.isfinite(draws).all(axis=(0, 2))
    if not good.any():
        raise ConfigError("no pixel is valid in samples and truth", "at least one", "See which pixels are NaN")
    ranked, count = np.sort(draws[:, good], axis=0), len(draws)
    miss = np.abs(ranked - truth[good]).mean(axis=0)
    if count > 1:
        weight = 2 * np.arange(1, count + 1) - count - 1.0  # sum_ij |x_i - x_j| = 2 sum_i weight_i x_(i)
        apart = np.tensordot(weight, ranked, axes=(0, 0)) / (count * (count - 1 if fair else count))
        miss = miss - apart
    return np.asarray(miss.mean(axis=0))


def _at(ranked: np.ndarray, level: float) -> np.ndarray:
    count = len(ranked)
    place = float(np.clip(level * (count + 1) - 1, 0, count - 1))
    low = int(place)
    high = min(low + 1, count - 1)
    found = ranked[low] + (place - low) * (ranked[high] - ranked[low])
    return np.asarray(np.where(np.isnan(ranked[-1]), np.nan, found))  # NaN is sorted to the end


def _checked(samples: np.ndarray, level: float) -> np.ndarray:
    draws = np.asarray(samples, np.float64)
    if draws.ndim < 1 or not len(draws):
        raise ConfigError(f"samples of shape {draws.shape}", "(samples, ...) with one or more", "Ask for samples")
    if not 0 <= level <= 1:
        raise ConfigError(f"a level of {level}", "0 to 1", "Say 0.9 for 90 %")
    return draws
