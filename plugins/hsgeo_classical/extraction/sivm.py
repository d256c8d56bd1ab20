"""The stage ``sivm``: simplex volume maximisation, pixel after pixel."""

from __future__ import annotations

import numpy as np

from hsgeo_classical.extraction.stage import ExtractionStage, Found, reduce_affine
from hsgeo_classical.sample import Pixels

__all__ = ["Sivm", "farthest_simplex"]


class Sivm(ExtractionStage):
    """Find endmembers as the pixels that make the simplex grow most, one after the other; nothing is random.

    Parameters
    ----------
    options : SivmOptions
        Count and scale.
    """

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Take the pixels of `farthest_simplex`, without the noise outside the simplex."""
        reduced = reduce_affine(pixels.Y, count)
        return Found(reduced.spectra(reduced.X[:, farthest_simplex(reduced.X, count)]), {})


def farthest_simplex(X: np.ndarray, count: int) -> np.ndarray:
    """Choose pixels so that each adds the most volume to the simplex of those before it.

    Thurau, Kersting, Wahabzada and Bauckhage, "Descriptive matrix factorization for sustainability: adopting the
    principle of opposites", Data Mining and Knowledge Discovery 24, 2012; Heylen, Burazerovic and Scheunders,
    "Fully constrained least squares spectral unmixing by simplex projection", IEEE TGRS 49(11), 2011. The volume
    (Cayley-Menger determinant) with a further corner is the volume so far times the corner's distance from its flat,
    so the largest distance is looked for, exactly; one orthogonal projection each keeps the distances. The first
    pixel is the farthest from the mean.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    count : int
        Corners, at most one more than dimensions that the pixels span.

    Returns
    -------
    numpy.ndarray
        Indices of the pixels ``(count,)``.
    """
    X = np.asarray(X, np.float64)
    corners = [int(np.square(X - X.mean(axis=1, keepdims=True)).sum(axis=0).argmax())]
    rest = X - X[:, corners]
    for _ in range(count - 1):
        squares = np.einsum("dn,dn->n", rest, rest)
        farthest = int(squares.argmax())
        corners.append(farthest)
        u = rest[:, farthest] / np.sqrt(max(squares[farthest], np.finfo(np.float64).tiny))
        rest = rest - u[:, None] * (u @ rest)
    return np.array(corners)
