"""The stage ``nfindr``: the largest simplex whose corners are pixels."""

from __future__ import annotations

import numpy as np

from hsgeo_classical.extraction.purest import largest_simplex
from hsgeo_classical.extraction.sivm import farthest_simplex
from hsgeo_classical.extraction.stage import ExtractionStage, Found, reduce_affine
from hsgeo_classical.sample import Pixels

__all__ = ["Nfindr", "independent_corners", "largest_of_restarts"]


class Nfindr(ExtractionStage):
    """Find endmembers as the pixels that span the largest simplex, best of several starts.

    Parameters
    ----------
    options : NfindrOptions
        Count, scale, restarts.
    """

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Take the pixels of `largest_of_restarts`, without the noise outside the simplex."""
        reduced = reduce_affine(pixels.Y, count)
        along = rng.standard_normal((self.options.restarts, count, len(reduced.basis))) @ reduced.basis
        return Found(reduced.spectra(reduced.X[:, largest_of_restarts(reduced.X, along)]), {})


def largest_of_restarts(X: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Exchange corners from several starts and keep the largest simplex.

    Winter, "N-FINDR: an algorithm for fast autonomous spectral end-member determination in hyperspectral data", SPIE
    3753, 1999, ends in a local optimum that depends on its start. The first start is that of `farthest_simplex`, so
    the result is never smaller than the greedy one; the others are `independent_corners`.

    Parameters
    ----------
    X : numpy.ndarray
        Affine coordinates ``(count - 1, pixels)`` that span all their dimensions.
    along : numpy.ndarray
        Random directions ``(starts, count, count - 1)``; those of the first start are not used.

    Returns
    -------
    numpy.ndarray
        Indices of the pixels ``(count,)``.
    """
    starts, count, _ = along.shape
    X = np.asarray(X, np.float64)
    scale = np.sqrt(np.square(X).mean(axis=1, keepdims=True))  # volumes of thin simplexes would run out of digits
    Z = np.vstack([X / scale, np.ones((1, X.shape[1]))])
    best, largest = np.arange(count), -1.0
    for start in range(starts):
        begin = independent_corners(Z, along[start]) if start else farthest_simplex(Z[:-1], count)
        corners = largest_simplex(Z, begin)
        volume = abs(float(np.linalg.det(Z[:, corners])))
        if volume > largest * (1 + 1e-9):  # the same simplex found again, summed in another order, is not larger
            best, largest = corners, volume
    return best


def independent_corners(Z: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Choose extreme pixels along directions, each made orthogonal to the pixels before it.

    Pixels drawn by chance may lie in one flat, and exchanges never leave a simplex without volume.

    Parameters
    ----------
    Z : numpy.ndarray
        Homogeneous coordinates ``(count, pixels)``, the last row 1.
    along : numpy.ndarray
        Directions ``(count, count - 1)``.

    Returns
    -------
    numpy.ndarray
        Indices of the pixels ``(count,)``.
    """
    corners: list[int] = []
    for direction in along:
        f = np.append(direction, 0.0)
        if corners:
            Q = np.linalg.qr(Z[:, corners])[0]
            f = f - Q @ (Q.T @ f)
        corners.append(int(np.abs(f @ Z).argmax()))
    return np.array(corners)
