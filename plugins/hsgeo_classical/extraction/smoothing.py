"""Pixels freed of noise by those around them that noise cannot tell from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

__all__ = ["Smoothed", "smooth"]

_GROWTH = 1.25  # the neighbourhood grows by this much a step, as published: its area by half
_WIDEST = 6.0  # pixels: 113 neighbours take 20 dB of noise away, and cost 113 distances
_LEVEL = 0.95  # how sure a difference must be before it parts two neighbours
_BLOCK = 32  # side of the blocks in which sampled pixels are found again


class Smoothed(NamedTuple):
    """Pixels and how many stand behind each.

    Parameters
    ----------
    X : numpy.ndarray
        ``(dimension, pixels)``.
    weight : numpy.ndarray
        ``(pixels,)``: the noise variance of a pixel is divided by it.
    """

    X: np.ndarray
    weight: np.ndarray


def smooth(X: np.ndarray, row: np.ndarray, col: np.ndarray, *, noise: np.ndarray) -> Smoothed:
    """Average every pixel with the neighbours that noise cannot tell from it.

    Adaptive weights smoothing (Polzehl and Spokoiny, "Propagation-separation approach for local likelihood
    estimation", 2006): in steps of growing neighbourhoods, a neighbour counts by its distance and by how little the
    two averages so far differ, measured by their noise. Flat grounds are averaged wholly, edges and points stay; where
    the scene varies more than the noise, nothing happens.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    row, col : numpy.ndarray
        ``(pixels,)`` absolute positions; pixels that were not sampled are no neighbours; of several
        at one place (scenes of an archive) one is.
    noise : numpy.ndarray
        Covariance of the noise ``(dimension, dimension)``, positive definite.

    Returns
    -------
    Smoothed
        In the order of the pixels.
    """
    from scipy.stats import chi2

    half = np.linalg.cholesky(noise)
    white = np.ascontiguousarray(np.linalg.solve(half, X).T)
    row, col = row - row.min(), col - col.min()
    blocks, member = np.unique(np.stack([row // _BLOCK, col // _BLOCK]), axis=1, return_inverse=True)
    place = np.full(blocks.max(axis=1) + 1, -1, np.int64)
    place[blocks[0], blocks[1]] = np.arange(blocks.shape[1])
    cells = np.full((blocks.shape[1], _BLOCK, _BLOCK), -1, np.int64)
    cells[member.ravel(), row % _BLOCK, col % _BLOCK] = np.arange(row.size)
    limit = 2 * float(chi2.ppf(_LEVEL, X.shape[0]))  # the difference of two averages has twice the variance of one
    mean, weight, reach = white.copy(), np.ones(row.size), 1.0
    while reach < _WIDEST:
        reach = min(_GROWTH * reach, _WIDEST)
        mean, weight = _step(white, row, col, place, cells, mean, weight, reach, limit)
    return Smoothed(half @ mean.T, weight)


@njit(cache=True, nogil=True, error_model="numpy")
def _step(X, row, col, place, cells, mean, weight, reach, limit):
    pixels, dimension = X.shape
    side = cells.shape[1]
    around = int(reach)
    new_mean, new_weight = np.empty_like(mean), np.empty_like(weight)
    total = np.empty(dimension)
    for i in range(pixels):
        total[:] = X[i]
        behind = 1.0
        for dy in range(-around, around + 1):
            y = row[i] + dy
            if y < 0 or y // side >= place.shape[0]:
                continue
            for dx in range(-around, around + 1):
                x = col[i] + dx
                apart = (dy * dy + dx * dx) / (reach * reach)
                if apart > 1.0 or x < 0 or x // side >= place.shape[1]:
                    continue
                block = place[y // side, x // side]
                if block < 0:
                    continue
                j = cells[block, y % side, x % side]
                if j < 0 or j == i:
                    continue
                differ = 0.0
                for k in range(dimension):
                    t = mean[i, k] - mean[j, k]
                    differ += t * t
                differ *= weight[i] / limit
                if not differ < 1.0:
                    continue
                share = (1.0 - apart) * min(1.0, 2.0 * (1.0 - differ))
                behind += share
                for k in range(dimension):
                    total[k] += share * X[j, k]
        for k in range(dimension):
            new_mean[i, k] = total[k] / behind
        new_weight[i] = behind
    return new_mean, new_weight
