"""The stage ``vca``: vertex component analysis."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.noise import moments, noise_std
from hsgeo_classical.extraction.stage import ExtractionStage, Found
from hsgeo_classical.sample import Pixels

__all__ = ["Vca", "extract_vca"]

_TINY = float(np.finfo(np.float64).tiny)


class Vca(ExtractionStage):
    """Find endmembers among the pixels by vertex component analysis.

    Parameters
    ----------
    options : VcaOptions
        Count, scale, restarts.
    """

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Find the endmembers of a sample; see `extract_vca`."""
        return Found(extract_vca(pixels.Y, count, restarts=self.options.restarts, rng=rng), {})


def extract_vca(Y: np.ndarray, count: int, *, restarts: int, rng: np.random.Generator) -> np.ndarray:
    """Find endmembers as extreme pixels along random directions orthogonal to those already found.

    Nascimento and Bioucas-Dias, "Vertex component analysis: a fast algorithm to unmix hyperspectral data", IEEE TGRS
    43(4), 2005, Algorithm 1: above the SNR threshold ``15 + 10 log10(count)`` dB the pixels are projected on ``count``
    principal directions and on the hyperplane through their mean (which undoes shade), below it on ``count - 1``
    centred ones with a constant appended. The endmembers are the projections of the pixels found.

    Parameters
    ----------
    Y : numpy.ndarray
        Complete pixels ``(bands, pixels)``.
    count : int
        Endmembers.
    restarts : int
        Random draws; the one whose simplex has the largest volume is kept. One draw is the published method, and
        varies a lot.
    rng : numpy.random.Generator
        Directions are drawn over the bands, so that the signs of eigenvectors do not matter.

    Returns
    -------
    numpy.ndarray
        ``(bands, count)``, units of the data.
    """
    bands, pixels = Y.shape
    if count == 1:
        return np.asarray(Y.mean(axis=1, dtype=np.float64)[:, None])
    _, average, second = moments(Y.T)
    mean = average[:, None]
    # the paper's SNR, with the noise of each band in place of "all beyond the first count dimensions"
    signal = float(np.trace(second)) / bands
    noise = float(np.mean(noise_std(Y.T) ** 2))
    snr = 10 * np.log10(max(signal - noise, _TINY) / max(noise, _TINY))
    if snr > 15 + 10 * np.log10(count):
        basis = np.linalg.eigh(second)[1][:, bands - count :]
        X = basis.T @ Y
        u = X.mean(axis=1)
        # a pixel almost orthogonal to the mean (noise in the dark) would be thrown to infinity: bounded at a tenth
        depth = np.maximum(u @ X, 0.1 * np.linalg.norm(u) * np.linalg.norm(X, axis=0) + _TINY)
        Z, along = X / depth, basis
        found_in = X
        shift: np.ndarray | float = 0.0
    else:
        basis = np.linalg.eigh(second - mean @ mean.T)[1][:, bands - (count - 1) :]
        X = basis.T @ Y - basis.T @ mean
        reach = float(np.sqrt((X**2).sum(axis=0).max()))
        Z = np.vstack([X, np.full((1, pixels), reach)])
        along = np.hstack([basis, np.zeros((bands, 1))])
        found_in, shift = X, mean
    best, largest = None, -1.0
    for _ in range(restarts):
        corners = _walk(Z, along, count, rng)
        volume = abs(float(np.linalg.det(Z[:, corners])))
        if volume > largest:
            best, largest = corners, volume
    return np.asarray(basis @ found_in[:, best] + shift)


def _walk(Z: np.ndarray, along: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    corners: list[int] = []
    frame = np.zeros((count, 1))
    frame[-1] = 1.0  # as published: the first direction is orthogonal to the last axis
    for _ in range(count):
        w = rng.standard_normal(along.shape[0]) @ along
        f = w - frame @ (np.linalg.pinv(frame) @ w)
        corners.append(int(np.abs(f @ Z).argmax()))
        frame = Z[:, corners]
    return corners
