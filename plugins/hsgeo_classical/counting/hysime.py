"""The stage ``hysime``: as many endmembers as directions that hold more signal than noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.noise import moments, noise_std
from hsgeo_classical.counting.stage import CountingStage

__all__ = ["HySime", "Hysime", "hysime"]

_ENOUGH = 3  # pixels per band from which the regression of a band on all others does not fit the noise
_RIDGE = 1e-13  # float64 rounding of the correlations: keeps exact linear scenes invertible
_FLOOR = 1e-5  # of the mean signal power, as in the authors' program: no direction is believed beyond 50 dB


class HySime(NamedTuple):
    """What HySime finds.

    Parameters
    ----------
    count : int
        Directions whose signal exceeds their noise, 0 to the number of bands.
    noise : numpy.ndarray
        Standard deviation of the noise ``(bands,)``, units of the data.
    cost : numpy.ndarray
        ``(bands,)`` change of the mean square error when a direction is kept, strongest signal first; negative ones
        are counted.
    """

    count: int
    noise: np.ndarray
    cost: np.ndarray


class Hysime(CountingStage):
    """Count endmembers by HySime, and estimate the noise of every band.

    Parameters
    ----------
    options : CountingOptions
        The largest count.
    """

    def find(self, Y: np.ndarray) -> tuple[int, np.ndarray]:
        """Count by `hysime`."""
        found = hysime(Y)
        return found.count, found.noise


def hysime(Y: np.ndarray, *, noise: np.ndarray | None = None) -> HySime:
    """Count the directions that are worth keeping (hyperspectral signal identification by minimum error).

    Bioucas-Dias and Nascimento, "Hyperspectral subspace identification", IEEE TGRS 46(8), 2008. Algorithm 1: the
    noise of a band is the residual of its regression on all others. Algorithm 2: of the eigenvectors ``e`` of the
    correlation of what is left (the signal), those are kept for which ``-e^T R_y e + 2 e^T R_n e < 0``, with the
    correlations of data and noise. Both are computed from the second moment alone: the residuals are
    ``D^-1 R_y^-1 y`` with ``D`` the diagonal of ``R_y^-1``.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.
    noise : numpy.ndarray, optional
        Standard deviation ``(bands,)`` of uncorrelated noise, in place of the regression. With fewer than 3 pixels
        per band it is `hsgeo.spectra.noise.noise_std`.

    Returns
    -------
    HySime
        Count, noise and costs.

    Raises
    ------
    ConfigError
        No pixel is complete.

    Notes
    -----
    Valid for linear scenes: variability and nonlinear mixing are signal too, and real scenes have dozens of
    directions above the noise.
    """
    pixels, _, second = moments(Y)
    bands = len(second)
    if noise is None and pixels < _ENOUGH * bands:
        noise = noise_std(Y)
    if noise is None:
        power = np.diag(second)
        scale = np.sqrt(np.where(power > 0, power, 1.0))
        R = second / scale / scale[:, None]
        R[np.diag_indices(bands)] += _RIDGE
        inverse = np.linalg.inv(R)
        T = scale[:, None] * (inverse / np.diag(inverse)[:, None]) / scale  # residuals are T y
        variance = np.einsum("ba,ac,bc->b", T, second, T)
        rest = np.eye(bands) - T
        signal = rest @ second @ rest.T
    else:
        variance = np.asarray(noise, np.float64) ** 2
        signal = second - np.diag(variance)
    variance = np.maximum(variance, 0)
    vectors = np.linalg.eigh(signal)[1][:, ::-1]
    believed = variance + _FLOOR * max(float(np.trace(signal)), 0.0) / bands
    cost = -np.einsum("bk,bc,ck->k", vectors, second, vectors) + 2 * (believed @ vectors**2)
    return HySime(int((cost < 0).sum()), np.sqrt(variance), cost)
