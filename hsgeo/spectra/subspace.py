"""The subspace the signal lives in: its dimension against the noise, and projection onto it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.noise import _floor, moments, noise_std

__all__ = ["Subspace", "principal_subspace", "project", "signal_subspace"]


class Subspace(NamedTuple):
    """An orthonormal basis and what it holds.

    Parameters
    ----------
    basis : numpy.ndarray
        ``(bands, dimension)`` orthonormal columns, strongest first.
    eigenvalues : numpy.ndarray
        All ``(bands,)``, descending; for `signal_subspace` in units of the noise variance.
    edge : float
        Largest eigenvalue that noise alone explains.
    """

    basis: np.ndarray
    eigenvalues: np.ndarray
    edge: float

    @property
    def dimension(self) -> int:
        """Number of basis vectors."""
        return int(self.basis.shape[1])


def signal_subspace(Y: np.ndarray, noise: np.ndarray | None = None, *, margin: float = 1.05) -> Subspace:
    """Find the directions in which pixels are more than noise.

    Bands are divided by their noise, so that noise alone has the eigenvalues of Marchenko and Pastur (1967);
    the dimension counts the eigenvalues of the (uncentred) second moment above their upper edge
    ``(1 + sqrt(bands / pixels))^2``, rescaled to the observed floor because noise estimates err by per cents.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.
    noise : numpy.ndarray, optional
        Standard deviation ``(bands,)``, by default `hsgeo.spectra.noise.noise_std` of ``Y``.
    margin : float
        The edge is multiplied by this: eigenvalues of finite samples spread beyond the asymptotic edge, and
        unequal noise widens it.

    Returns
    -------
    Subspace
        ``basis`` is orthonormal in the data's own units (not whitened); at least one dimension.

    Raises
    ------
    ConfigError
        No pixel is complete, or the noise does not have one positive value per band.
    """
    count, _, second = moments(Y)
    noise = noise_std(Y) if noise is None else np.asarray(noise, dtype=np.float64)
    if noise.shape != (second.shape[0],) or not (noise > 0).all():
        raise ConfigError(f"the noise has the shape {noise.shape}", "one positive value per band")
    values, vectors = np.linalg.eigh(second / noise / noise[:, None])
    values, vectors = values[::-1], vectors[:, ::-1]
    floor = _floor(values[::-1], count + 1) or 1.0
    edge = margin * floor * (1 + np.sqrt(len(values) / count)) ** 2
    dimension = max(int((values > edge).sum()), 1)
    basis = np.linalg.qr(noise[:, None] * vectors[:, :dimension])[0]
    return Subspace(basis, values, float(edge))


def principal_subspace(Y: np.ndarray, dimension: int) -> Subspace:
    """Find the orthonormal directions that hold most of the pixels' energy (uncentred).

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; pixels with a non-finite value are left out.
    dimension : int
        How many, at most the number of bands.

    Returns
    -------
    Subspace
        ``edge`` is the first eigenvalue left out.

    Raises
    ------
    ConfigError
        No pixel is complete, or ``dimension`` is not within 1 and the number of bands.
    """
    _, _, second = moments(Y)
    if not 1 <= dimension <= second.shape[0]:
        raise ConfigError(f"dimension={dimension} with {second.shape[0]} bands", "1 to the number of bands")
    values, vectors = np.linalg.eigh(second)
    values, vectors = values[::-1], vectors[:, ::-1]
    edge = float(values[dimension]) if dimension < len(values) else 0.0
    return Subspace(np.ascontiguousarray(vectors[:, :dimension]), values, edge)


def project(Y: np.ndarray, subspace: Subspace) -> np.ndarray:
    """Keep the part of pixels that lies in a subspace.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(pixels, bands)``; NaN pixels stay NaN.
    subspace : Subspace
        From `signal_subspace` or `principal_subspace`.

    Returns
    -------
    numpy.ndarray
        ``(pixels, bands)``, dtype of ``Y``.
    """
    Y = np.asarray(Y)
    basis = subspace.basis.astype(Y.dtype)
    return (Y @ basis) @ basis.T
