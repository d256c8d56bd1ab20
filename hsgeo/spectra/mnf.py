"""The minimum noise fraction: components in the order of their signal-to-noise ratio, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.noise import moments, noise_covariance

__all__ = ["Mnf", "denoise_block", "mnf", "mnf_from_moments"]

_MARGIN = 1.05  # eigenvalues of finite samples spread beyond the asymptotic edge
_FAINT = 1e-7  # of a band's rms: the rounding of float32, the least noise a band has


@dataclass(frozen=True, eq=False)
class Mnf:
    """A transform to minimum noise fractions and back. Built by `mnf`.

    Parameters
    ----------
    mean : numpy.ndarray
        ``(bands,)``, mean of the data.
    forward : numpy.ndarray
        ``(bands, components)``: components = (data - mean) @ forward, each with unit noise.
    inverse : numpy.ndarray
        ``(components, bands)``: data = mean + components @ inverse.
    eigenvalues : numpy.ndarray
        ``(components,)``, descending: variance of each component, 1 of which is noise; minus 1, the ratio of signal
        to noise in variances.
    edge : float
        Largest eigenvalue that noise alone explains (Marchenko and Pastur, 1967, with a margin of 5 %).
    """

    mean: np.ndarray
    forward: np.ndarray
    inverse: np.ndarray
    eigenvalues: np.ndarray
    edge: float

    @property
    def dimension(self) -> int:
        """Number of components with more than noise in them, at least 1."""
        return max(1, int((self.eigenvalues > self.edge).sum()))

    def transform(self, Y: np.ndarray, *, count: int | None = None) -> np.ndarray:
        """Give the components of pixels.

        Parameters
        ----------
        Y : numpy.ndarray
            ``(..., bands)``; a pixel that misses a band becomes NaN.
        count : int, optional
            How many components, the strongest first; all by default.

        Returns
        -------
        numpy.ndarray
            ``(..., count)`` float64.
        """
        return np.asarray((np.asarray(Y, np.float64) - self.mean) @ self.forward[:, : self._checked(count)])

    def restore(self, Z: np.ndarray) -> np.ndarray:
        """Give the data that components came from; those left out are taken as 0.

        Parameters
        ----------
        Z : numpy.ndarray
            ``(..., count)``, the strongest components.

        Returns
        -------
        numpy.ndarray
            ``(..., bands)`` float64.

        Raises
        ------
        ConfigError
            There are more components than bands.
        """
        Z = np.asarray(Z)
        return np.asarray(self.mean + Z @ self.inverse[: self._checked(Z.shape[-1])])

    def denoise(self, Y: np.ndarray, *, count: int | None = None) -> np.ndarray:
        """Keep what the strongest components hold of pixels.

        Parameters
        ----------
        Y : numpy.ndarray
            ``(pixels, bands)``. Where bands are missing the others decide, and they stay missing.
        count : int, optional
            Components kept; by default `dimension`.

        Returns
        -------
        numpy.ndarray
            ``(pixels, bands)`` float32.

        Raises
        ------
        ConfigError
            ``count`` is not within 1 and the number of bands, or the bands differ.
        """
        block = np.ascontiguousarray(np.asarray(Y).T, dtype=np.float32)
        return denoise_block(block, self, count=self.dimension if count is None else count).T

    def _checked(self, count: int | None) -> int:
        most = len(self.eigenvalues)
        if count is not None and not 1 <= count <= most:
            raise ConfigError(f"count={count} components", f"1 to {most}")
        return most if count is None else count


def mnf(image: np.ndarray, *, noise: np.ndarray | None = None) -> Mnf:
    """Find the components of an image in the order of their signal-to-noise ratio.

    Noise-adjusted principal components (Green et al., 1988; Lee, Woodyatt and Berman, 1990): the noise is made white
    and of variance 1, then the directions of largest variance are taken.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``, or ``(pixels, bands)`` when ``noise`` is given; pixels with a non-finite value are
        left out.
    noise : numpy.ndarray, optional
        Covariance of the noise ``(bands, bands)``, or its standard deviation ``(bands,)``; by default
        `hsgeo.spectra.noise.noise_covariance` of the image.

    Returns
    -------
    Mnf
        The transform, with as many components as bands.

    Raises
    ------
    ConfigError
        Shapes do not fit, or fewer than two pixels are complete.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 2 and noise is None):
        raise ConfigError(
            f"the image has the shape {image.shape}", "(rows, cols, bands), or (pixels, bands) with noise="
        )
    count, mean, second = moments(image.reshape(-1, image.shape[-1]))
    return mnf_from_moments(count, mean, second, noise=noise_covariance(image) if noise is None else noise)


def mnf_from_moments(count: int, mean: np.ndarray, second: np.ndarray, *, noise: np.ndarray) -> Mnf:
    """Make the transform of `mnf` from sums over pixels that need not be at hand.

    Parameters
    ----------
    count : int
        Complete pixels, at least 2.
    mean : numpy.ndarray
        ``(bands,)``.
    second : numpy.ndarray
        ``(bands, bands)``, mean of ``y y^T`` (not centred).
    noise : numpy.ndarray
        Covariance of the noise ``(bands, bands)``, or its standard deviation ``(bands,)``. Raised to the rounding of
        float32, so that a constant band does no harm.

    Returns
    -------
    Mnf
        The transform.

    Raises
    ------
    ConfigError
        Shapes do not fit, a value is not finite, or there are fewer than two pixels.
    """
    bands = len(mean)
    noise = np.asarray(noise, np.float64)
    N = np.diag(noise**2) if noise.ndim == 1 else (noise + noise.T) / 2
    if N.shape != (bands, bands) or not np.isfinite(N).all() or count < 2:
        raise ConfigError(
            f"noise of the shape {noise.shape} for {count} pixels of {bands} bands",
            "finite noise (bands, bands) or (bands,), and at least 2 pixels",
        )
    power = np.diag(second)
    floor = _FAINT * np.sqrt(np.where(power > 0, power, max(float(power.max()), 1.0)))
    scale = np.sqrt(np.maximum(np.diag(N), floor**2))
    # unit diagonal first: eigenvalues of a correlation matrix are of one order
    values, vectors = np.linalg.eigh(N / scale / scale[:, None])
    # directions without any noise are as bad as invented ones: raised to a hundred-millionth of the mean
    values = np.maximum(values, 1e-8)
    white = vectors / np.sqrt(values) / scale[:, None]
    back = vectors * np.sqrt(values) * scale[:, None]
    S = (second - np.outer(mean, mean)) * (count / (count - 1))
    eigenvalues, turn = np.linalg.eigh(white.T @ S @ white)
    eigenvalues, turn = np.maximum(eigenvalues[::-1], 0.0), turn[:, ::-1]
    edge = _MARGIN * (1 + np.sqrt(bands / count)) ** 2
    return Mnf(np.asarray(mean, np.float64), white @ turn, (back @ turn).T, eigenvalues, float(edge))


def denoise_block(Y: np.ndarray, transform: Mnf, *, count: int) -> np.ndarray:
    """Keep what the strongest components hold; every pixel's bits are the same wherever it stands.

    Missing bands are filled by the projection of the others, again and again until that changes nothing: for noise
    that is independent from band to band this is the weighted least-squares fit of the kept components to the bands
    that are there. The result misses them all the same.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)`` float32; a pixel without any finite band stays NaN.
    transform : Mnf
        From `mnf`.
    count : int
        Components kept, 1 to the number of bands.

    Returns
    -------
    numpy.ndarray
        ``(bands, pixels)`` float32.

    Raises
    ------
    ConfigError
        The bands differ, or ``count`` is out of range.
    """
    from hsgeo.spectra import mnf_kernels

    if Y.ndim != 2 or Y.shape[0] != len(transform.mean) or not 1 <= count <= len(transform.eigenvalues):
        raise ConfigError(
            f"data of the shape {Y.shape} (bands, pixels) with count={count}",
            f"{len(transform.mean)} bands and 1 to {len(transform.eigenvalues)} components",
        )
    result: np.ndarray = mnf_kernels.denoise(
        np.ascontiguousarray(Y, dtype=np.float32),
        transform.mean,
        np.ascontiguousarray(transform.forward[:, :count]),
        np.ascontiguousarray(transform.inverse[:count]),
    )
    return result
