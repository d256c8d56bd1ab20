"""How far estimates are from the truth, every number by the name of its variant, and who is who.

Shapes as everywhere: abundances ``A (pixels, endmembers)``, endmembers ``E (bands, endmembers)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError

__all__ = [
    "Match",
    "armse",
    "match",
    "match_abundances",
    "mrmse",
    "msad",
    "pixel_rmse",
    "re_rmse",
    "re_sam",
    "rmse_per_endmember",
    "sad",
    "sad_matrix",
    "sre",
]


class Match(NamedTuple):
    """Who is who.

    Parameters
    ----------
    order : numpy.ndarray
        ``order[q]`` is the estimate that belongs to truth ``q``: ``E[:, order]`` and ``A[:, order]`` are matched.
    cost : numpy.ndarray
        Cost of each pair, in the order of the truth.
    """

    order: np.ndarray
    cost: np.ndarray


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
    A, A_true = _both(A, A_true)
    return float(np.sqrt(np.mean(np.square(A - A_true))))


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
    A, A_true = _both(A, A_true)
    return np.sqrt(np.mean(np.square(A - A_true), axis=0))


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
    A, A_true = _both(A, A_true)
    return float(np.sqrt(np.mean(np.square(A - A_true), axis=1)).mean())


def sre(A: np.ndarray, A_true: np.ndarray) -> float:
    """Measure abundances: signal to reconstruction error, ``20 log10(|A_true| / |A - A_true|)``.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        As in `armse`.

    Returns
    -------
    float
        SRE in dB; infinite for no error.

    Raises
    ------
    ConfigError
        As in `armse`.
    """
    A, A_true = _both(A, A_true)
    error = float(np.linalg.norm(A - A_true))
    return 20 * float(np.log10(np.linalg.norm(A_true) / error)) if error else float("inf")


def sad_matrix(E: np.ndarray, E_true: np.ndarray) -> np.ndarray:
    """Measure the spectral angle between every estimate and every truth.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        ``(bands, endmembers)``; the counts may differ. Bands with NaN in either are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers of E, endmembers of E_true)`` radians, 0 to pi. The angle to a zero spectrum is pi / 2.

    Raises
    ------
    ConfigError
        Bands differ, or no band is valid in both.
    """
    E, E_true = np.asarray(E, dtype=np.float64), np.asarray(E_true, dtype=np.float64)
    if E.ndim != 2 or E_true.ndim != 2 or E.shape[0] != E_true.shape[0]:
        raise ConfigError(f"endmembers of shape {E.shape} and {E_true.shape}", "(bands, endmembers), the same bands")
    good = np.isfinite(E).all(axis=1) & np.isfinite(E_true).all(axis=1)
    if not good.any():
        raise ConfigError("no band is valid in both sets of endmembers", "at least one")
    left, right = (_unit(spectra[good]) for spectra in (E, E_true))
    # half angles by chords: arccos would lose half the digits of small angles
    minus = np.linalg.norm(left[:, :, None] - right[:, None, :], axis=0)
    plus = np.linalg.norm(left[:, :, None] + right[:, None, :], axis=0)
    return np.asarray(2 * np.arctan2(minus, plus))


def sad(E: np.ndarray, E_true: np.ndarray) -> np.ndarray:
    """Measure the spectral angle of each estimate to its truth.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        ``(bands, endmembers)``, matched. Bands with NaN in either are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)`` radians.

    Raises
    ------
    ConfigError
        Shapes differ, or no band is valid in both.
    """
    if np.shape(E) != np.shape(E_true):
        raise ConfigError(f"endmembers of shape {np.shape(E)} and {np.shape(E_true)}", "the same shape")
    return np.diag(sad_matrix(E, E_true)).copy()


def msad(E: np.ndarray, E_true: np.ndarray) -> float:
    """Measure endmembers: mean spectral angle.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        As in `sad`.

    Returns
    -------
    float
        Radians.

    Raises
    ------
    ConfigError
        As in `sad`.
    """
    return float(sad(E, E_true).mean())


def match(E: np.ndarray, E_true: np.ndarray) -> Match:
    """Find which estimate is which truth: one Hungarian assignment on spectral angles.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        ``(bands, endmembers)``; ``E`` has at least as many as ``E_true``, and the spare ones stay unmatched.

    Returns
    -------
    Match
        Order and angles in radians.

    Raises
    ------
    ConfigError
        Bands differ, or there are fewer estimates than truths.
    """
    return _assign(sad_matrix(E, E_true))


def match_abundances(A: np.ndarray, A_true: np.ndarray) -> Match:
    """Find which estimate is which truth by abundances: one Hungarian assignment on mean squared errors.

    Where it disagrees with `match`, say so: the score then depends on the way of matching.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        ``(pixels, endmembers)``; ``A`` has at least as many endmembers as ``A_true``.

    Returns
    -------
    Match
        Order and mean squared errors.

    Raises
    ------
    ConfigError
        Pixels differ, none is valid in both, or there are fewer estimates than truths.
    """
    A, A_true = np.asarray(A, dtype=np.float64), np.asarray(A_true, dtype=np.float64)
    if A.ndim != 2 or A_true.ndim != 2 or A.shape[0] != A_true.shape[0]:
        raise ConfigError(f"abundances of shape {A.shape} and {A_true.shape}", "(pixels, endmembers), the same pixels")
    good = np.isfinite(A).all(axis=1) & np.isfinite(A_true).all(axis=1)
    if not good.any():
        raise ConfigError("no pixel is valid in both sets of abundances", "at least one")
    A, A_true = A[good], A_true[good]
    return _assign(np.stack([np.mean(np.square(A - truth[:, None]), axis=0) for truth in A_true.T], axis=1))


def re_rmse(Y: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Measure the reconstruction: root mean squared residual of ``Y - A E^T``. Low does not mean well unmixed.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``. Non-finite residuals are left out.
    A : numpy.ndarray
        ``(pixels, endmembers)``.
    E : numpy.ndarray
        ``(bands, endmembers)``.

    Returns
    -------
    float
        In the units of the data.
    """
    residual = np.asarray(Y, dtype=np.float64) - np.asarray(A, dtype=np.float64) @ np.asarray(E, dtype=np.float64).T
    return float(np.sqrt(np.mean(np.square(residual[np.isfinite(residual)]))))


def re_sam(Y: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Measure the reconstruction: mean spectral angle between pixels and ``A E^T``.

    Parameters
    ----------
    Y, A, E : numpy.ndarray
        As in `re_rmse`; pixels with a non-finite value are left out.

    Returns
    -------
    float
        Radians.
    """
    Y = np.asarray(Y, dtype=np.float64)
    fitted = np.asarray(A, dtype=np.float64) @ np.asarray(E, dtype=np.float64).T
    good = np.isfinite(Y).all(axis=1) & np.isfinite(fitted).all(axis=1)
    left, right = _unit(Y[good].T), _unit(fitted[good].T)
    angles = 2 * np.arctan2(np.linalg.norm(left - right, axis=0), np.linalg.norm(left + right, axis=0))
    return float(angles.mean())


def _unit(spectra: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(spectra, axis=0)
    return np.asarray(spectra / np.where(norm > 0, norm, 1.0))


def _both(A: np.ndarray, A_true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    A, A_true = np.asarray(A, dtype=np.float64), np.asarray(A_true, dtype=np.float64)
    if A.ndim != 2 or A.shape != A_true.shape:
        raise ConfigError(f"abundances of shape {A.shape} and {A_true.shape}", "(pixels, endmembers), the same shape")
    good = np.isfinite(A).all(axis=1) & np.isfinite(A_true).all(axis=1)
    if not good.any():
        raise ConfigError("no pixel is valid in both sets of abundances", "at least one")
    return A[good], A_true[good]


def _assign(cost: np.ndarray) -> Match:
    from scipy.optimize import linear_sum_assignment

    if cost.shape[0] < cost.shape[1]:
        raise ConfigError(f"{cost.shape[0]} estimates for {cost.shape[1]} truths", "at least as many estimates")
    truths, estimates = linear_sum_assignment(cost.T)
    return Match(np.asarray(estimates), np.asarray(cost[estimates, truths]))
