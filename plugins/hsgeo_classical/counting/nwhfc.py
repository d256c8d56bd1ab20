"""The stage ``nwhfc``: the virtual dimension, by noise-whitened eigenvalue tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.noise import moments, noise_std
from hsgeo_classical.counting.stage import CountingStage

__all__ = ["Nwhfc", "VirtualDimension", "nwhfc"]

_FLOOR = 1e-5  # of the mean power: no band is believed beyond 50 dB, as in HySime's program


class VirtualDimension(NamedTuple):
    """What the eigenvalue tests find.

    Parameters
    ----------
    count : int
        Tests passed, 0 to the number of bands.
    difference : numpy.ndarray
        Eigenvalue of the correlation minus that of the covariance ``(bands,)``, in noise variances, largest first.
    threshold : numpy.ndarray
        What each difference is compared with ``(bands,)``.
    """

    count: int
    difference: np.ndarray
    threshold: np.ndarray


class Nwhfc(CountingStage):
    """Count endmembers by the noise-whitened Harsanyi-Farrand-Chang test, and estimate the noise of every band.

    Parameters
    ----------
    options : NwhfcOptions
        The largest count and the probability of a false alarm.
    """

    def find(self, Y: np.ndarray) -> tuple[int, np.ndarray]:
        """Count by `nwhfc`."""
        return nwhfc(Y, false_alarm=self.options.false_alarm).count, noise_std(Y)


def nwhfc(Y: np.ndarray, *, false_alarm: float = 1e-3, noise: np.ndarray | None = None) -> VirtualDimension:
    """Count the spectral signatures whose mean shows in the eigenvalues (noise-whitened HFC).

    Chang and Du, "Estimation of number of spectrally distinct signal sources in hyperspectral imagery", IEEE TGRS
    42(3), 2004. Bands are divided by their noise. A source with a mean makes an eigenvalue of the correlation larger
    than that of the covariance; for noise the two differ by a normal error of variance ``2 (l_R^2 + l_K^2) / pixels``.
    Differences beyond the quantile of ``1 - false_alarm`` are counted (Neyman-Pearson).

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.
    false_alarm : float
        Probability that noise passes a test, above 0 and below 0.5.
    noise : numpy.ndarray, optional
        Standard deviation ``(bands,)``, by default `hsgeo.spectra.noise.noise_std` of ``Y``. Where that is more than
        50 dB below the mean power, white noise of 50 dB is taken to be in the data: rounding would pass every test.

    Returns
    -------
    VirtualDimension
        Count and tests.

    Raises
    ------
    ConfigError
        No pixel is complete, or ``false_alarm`` is outside its range.

    Notes
    -----
    The data have one mean, so correlation and covariance differ by one direction only; the other eigenvalues move
    because that direction is shared among them. A material whose mean abundance is small may be missed whatever the
    noise, and no theory bounds the count by the number of endmembers.
    """
    if not 0 < false_alarm < 0.5:
        raise ConfigError(f"false_alarm={false_alarm}", "a probability above 0 and below 0.5", "0.001 is usual")
    from scipy.special import ndtri

    pixels, mean, second = moments(Y)
    added = np.zeros(len(second))
    if noise is None:
        variance = noise_std(Y) ** 2
        added = np.maximum(_FLOOR * np.trace(second) / len(second) - variance, 0)
        noise = np.sqrt(variance + added)
    noise = np.asarray(noise, np.float64)
    R = (second + np.diag(added)) / noise / noise[:, None]
    K = R - np.outer(mean / noise, mean / noise)
    correlation, covariance = (np.linalg.eigvalsh(M)[::-1] for M in (R, K))
    difference = correlation - covariance
    threshold = -ndtri(false_alarm) * np.sqrt(2 * (correlation**2 + covariance**2) / pixels)
    return VirtualDimension(int((difference > threshold).sum()), difference, threshold)
