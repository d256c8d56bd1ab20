"""Errors of abundances. Papers call several of these "RMSE": every one has a name of its own here."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.metrics._pairs import both

__all__ = ["armse", "bias", "mae", "mae_per_endmember", "mrmse", "pixel_rmse", "r2", "rmse_per_endmember", "sre"]


def armse(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: root of the mean squared error over all pixels and endmembers (the primary metric).

    Parameters
    ----------
    A, A_true : numpy.ndarray
        ``(pixels, endmembers)``, matched. Pixels with NaN in either are left out.

    Returns
    -------
    float
        aRMSE.

    Raises
    ------
    ConfigError
        Shapes differ, or no pixel is valid in both.
    """
    return float(np.sqrt(np.mean(np.square(_errors(A, A_true)))))


def rmse_per_endmember(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure the abundances of each endmember by itself.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return np.sqrt(np.mean(np.square(_errors(A, A_true)), axis=0))


def mrmse(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: mean over endmembers of the RMSE of each.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    float
        mRMSE, at most aRMSE.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return float(rmse_per_endmember(A, A_true).mean())


def pixel_rmse(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: mean over pixels of the RMSE of each.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    float
        Per-pixel RMSE, at most aRMSE.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return float(np.sqrt(np.mean(np.square(_errors(A, A_true)), axis=1)).mean())


def mae_per_endmember(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure the abundances of each endmember by the mean absolute error.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return np.asarray(np.abs(_errors(A, A_true)).mean(axis=0))


def mae(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: mean absolute error over all pixels and endmembers.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    float
        MAE, at most aRMSE.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return float(mae_per_endmember(A, A_true).mean())


def bias(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure by how much each endmember is overestimated on average.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, mean of ``A - A_true``; negative: underestimated.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    return np.asarray(_errors(A, A_true).mean(axis=0))


def r2(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure how much of each truth's variance is explained: coefficient of determination.

    ``1 - sum (A - A_true)^2 / sum (A_true - mean A_true)^2``, against the line of equality, not a fitted one: bias
    lowers it, and it may be negative.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, at most 1; NaN where the truth is the same everywhere.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    A, A_true = both(A, A_true)
    spread = np.square(A_true - A_true.mean(axis=0)).sum(axis=0)
    error = np.square(A - A_true).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.ptp(A_true, axis=0) > 0, 1 - error / spread, np.nan)


def sre(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: signal to reconstruction error, ``20 log10(|A_true| / |A - A_true|)``.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    float
        SRE in dB; infinite for no error, minus infinite for a truth of zeros.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    A, A_true = both(A, A_true)
    error, signal = float(np.linalg.norm(A - A_true)), float(np.linalg.norm(A_true))
    if not error:
        return float("inf")
    return 20 * float(np.log10(signal / error)) if signal else -float("inf")


def _errors(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    A, A_true = both(A, A_true)
    return A - A_true
