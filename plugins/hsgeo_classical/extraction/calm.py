"""Pixels of a noisy scene made calm by their neighbours, before endmembers are looked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.cone import cone_evidence
from hsgeo.spectra.noise import moments
from hsgeo.spectra.solvers import nnls
from hsgeo_classical.extraction.smoothing import smooth
from hsgeo_classical.sample import Pixels, keyed_normal, positions

__all__ = ["Calm", "calm"]

_QUIET = 24.0  # dB: above, linear answers are seldom wrong (1 of 12 synthetic scenes at 30 dB), and the check is slow
_LOUD = 12.5  # dB: below, calm pixels were the better ones in 47 of 48 runs (16 synthetic scenes at 8, 10 and 12.5 dB)
_BEYOND = 2  # dimensions beyond the count, as the search has them
_FEW = 0.3  # of the pixels must have a neighbour in the sample, or there is nothing to calm them by
# Noise that is put back, in units of that of the scene. The search measures noise by the bands' covariance, and calm
# pixels have none outside of their subspace; and what smoothing leaves is of that size.
_BACK = 0.4
_BETTER = 0.3  # nats per pixel: of 12 smaller gains on 22 synthetic scenes at 15 and 20 dB, seven were losses
_UNEXPLAINED = 1.08  # in these runs, more was always a gain (from 1.17 on), and at 1.04 nothing was at stake
_BLOCK = 8192  # pixels whose noise is drawn at once: 15 MB of random bits at 224 bands


class Calm(NamedTuple):
    """A sample freed of most of its noise.

    Parameters
    ----------
    pixels : Pixels
        The same positions, with 0.4 of the noise.
    inward : numpy.ndarray
        ``(dimensions, bands)``: makes coordinates of spectra, in units of the noise before.
    left : float
        Variance of what is left of it in each dimension, in these units.
    snr : float
        Signal-to-noise ratio before, dB.
    """

    pixels: Pixels
    inward: np.ndarray
    left: float
    snr: float

    @property
    def loud(self) -> bool:
        """Whether there was so much noise that nothing found in it is worth a comparison."""
        return self.snr < _LOUD

    def prefers(self, E: np.ndarray, given: np.ndarray) -> bool:
        """Tell whether endmembers ``(bands, endmembers)`` explain the calm pixels better than those of noisy pixels.

        They do where their evidence (`cone_evidence`) is better, or where the given ones leave more unexplained.
        """
        X = self.inward @ self.pixels.Y
        long = float(np.median(np.linalg.norm(X, axis=0)))
        corners = [c * (long / np.linalg.norm(c, axis=0)) for c in (self.inward @ E, self.inward @ given)]
        new, old = (cone_evidence(X, c, variance=self.left) for c in corners)
        left, before = (float(np.mean(np.square(X - c @ nnls(X.T, c).T))) for c in corners)
        return new > old + _BETTER or before > _UNEXPLAINED * left


def calm(pixels: Pixels, count: int, *, seed: int) -> Calm | None:
    """Free pixels of noise by those around them.

    1. The subspace is that of the pixels averaged with their neighbours: directions weaker than the noise of a single
       pixel come out, which they do not from the pixels themselves.
    2. In it, every pixel is averaged with the neighbours that noise cannot tell from it
       (`hsgeo_classical.extraction.smoothing.smooth`).
    3. A little noise is put back, tied to the pixels' positions.

    Parameters
    ----------
    pixels : Pixels
        From `pixels_of`.
    count : int
        Endmembers.
    seed : int
        Of the noise.

    Returns
    -------
    Calm or None
        None: noise is no obstacle, or the sample has too few neighbours.
    """
    Y, key = pixels
    noise = calibrated_noise(Y.T)
    power, level = float(np.mean(np.square(Y, dtype=np.float64))), float(np.mean(noise**2))
    if not (noise > 0).all() or power > level * 10 ** (_QUIET / 10):
        return None
    averages, touched = _with_neighbours(Y, key)
    if touched < _FEW:
        return None
    averages /= noise[:, None].astype(np.float32)
    basis = np.linalg.eigh(moments(averages.T)[2])[1][:, ::-1][:, : min(count + _BEYOND, len(Y))]
    del averages
    row, col = positions(key)
    inward = (basis / noise[:, None]).T
    smoothed = smooth(inward @ Y, row, col, noise=np.eye(len(inward)))
    outward = noise[:, None] * basis
    quiet = np.empty_like(Y)
    for part in (slice(first, first + _BLOCK) for first in range(0, Y.shape[1], _BLOCK)):
        back = _BACK * noise[:, None] * keyed_normal(key[part], seed, len(Y))
        quiet[:, part] = outward @ smoothed.X[:, part] + back
    left = float(np.mean(1 / smoothed.weight)) + _BACK**2
    return Calm(Pixels(quiet, key), inward, left, 10 * float(np.log10(power / level)))


def _with_neighbours(Y: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, float]:
    """Average every pixel with those of the eight around it that are in the sample; and tell how many have any."""
    total, count = Y.copy(), np.ones(Y.shape[1], np.float32)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    down = np.uint64(1) << np.uint64(32)
    for step in (np.uint64(1), down - np.uint64(1), down, down + np.uint64(1)):
        place = np.minimum(np.searchsorted(ordered, ordered + step), len(ordered) - 1)
        there = ordered[place] == ordered + step
        a, b = order[there], order[place[there]]
        total[:, a] += Y[:, b]
        total[:, b] += Y[:, a]
        count[a] += 1
        count[b] += 1
    total /= count
    return total, float(np.mean(count > 1))
