"""Errors of endmembers: angles, which no scale changes, and the RMSE, which every scale changes."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.metrics._pairs import unit

__all__ = ["ermse", "mrsa", "msad", "sad", "sad_matrix"]


def sad_matrix(E: np.ndarray, E_true: np.ndarray) -> np.ndarray:
    """Measure the spectral angle between every estimate and every truth.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        ``(bands, endmembers)``; the counts may differ. Bands with NaN in either are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers of E, endmembers of E_true)`` radians, 0 to pi (`numpy.rad2deg` for degrees). The angle to a
        zero spectrum is pi / 2.

    Raises
    ------
    ConfigError
        Bands differ, or no band is valid in both.
    """
    left, right = _bands(E, E_true)
    left, right = unit(left), unit(right)
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
    _same(E, E_true)
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


def mrsa(E: np.ndarray, E_true: np.ndarray) -> np.ndarray:
    """Measure the angle between spectra without their means: mean-removed spectral angle.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        As in `sad`.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, angle times 100 / pi: 0 to 100; 50 to a flat spectrum.

    Raises
    ------
    ConfigError
        As in `sad`.
    """
    _same(E, E_true)
    left, right = _bands(E, E_true)
    return sad(left - left.mean(axis=0), right - right.mean(axis=0)) * (100 / np.pi)


def ermse(E: np.ndarray, E_true: np.ndarray) -> float:
    """Measure endmembers: root mean squared difference. Depends on the scale: compare physical with physical only.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        As in `sad`, in the same units.

    Returns
    -------
    float
        eRMSE, units of the spectra.

    Raises
    ------
    ConfigError
        As in `sad`.
    """
    _same(E, E_true)
    left, right = _bands(E, E_true)
    return float(np.sqrt(np.mean(np.square(left - right))))


def _same(E: np.ndarray, E_true: np.ndarray) -> None:
    if np.shape(E) != np.shape(E_true):
        raise ConfigError(
            f"endmembers of shape {np.shape(E)} and {np.shape(E_true)}",
            "the same shape",
            "Match them first: hsgeo.spectra.metrics.match",
        )


def _bands(E: np.ndarray, E_true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    E, E_true = np.asarray(E, dtype=np.float64), np.asarray(E_true, dtype=np.float64)
    if E.ndim != 2 or E_true.ndim != 2 or E.shape[0] != E_true.shape[0]:
        raise ConfigError(
            f"endmembers of shape {E.shape} and {E_true.shape}",
            "(bands, endmembers), the same bands",
            "Resample one to the bands of the other: hsgeo.spectra.srf",
        )
    good = np.isfinite(E).all(axis=1) & np.isfinite(E_true).all(axis=1)
    if not good.any():
        raise ConfigError("no band is valid in both sets of endmembers", "at least one", "See which bands are NaN")
    return E[good], E_true[good]
