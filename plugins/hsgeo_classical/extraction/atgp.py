"""The stage ``atgp``: pixels that the pixels found before them explain least."""

from __future__ import annotations

import numpy as np

from hsgeo_classical.extraction.stage import ExtractionStage, Found
from hsgeo_classical.sample import Pixels

__all__ = ["Atgp", "orthogonal_targets"]


class Atgp(ExtractionStage):
    """Find endmembers by automatic target generation; nothing is random.

    Parameters
    ----------
    options : AtgpOptions
        Count and scale.
    """

    def find(self, pixels: Pixels, count: int, rng: np.random.Generator) -> Found:
        """Take the pixels of `orthogonal_targets` as they are."""
        return Found(pixels.Y[:, orthogonal_targets(pixels.Y, count)].astype(np.float64), {})


def orthogonal_targets(Y: np.ndarray, count: int) -> np.ndarray:
    """Choose the longest pixel, then again and again the one with the longest part orthogonal to those chosen.

    Ren and Chang, "Automatic spectral target recognition in hyperspectral imagery", IEEE TAES 39(4), 2003 (ATGP).

    Parameters
    ----------
    Y : numpy.ndarray
        Pixels ``(bands, pixels)``.
    count : int
        How many.

    Returns
    -------
    numpy.ndarray
        Indices of the pixels ``(count,)``, all different where the pixels are not all explained before.
    """
    Y = np.asarray(Y, np.float64)
    left = np.einsum("bn,bn->n", Y, Y)
    frame = np.empty((len(Y), 0))
    targets: list[int] = []
    for _ in range(count):
        chosen = int(left.argmax())
        targets.append(chosen)
        q = Y[:, chosen]
        for _ in range(2):  # twice is enough: orthogonal to rounding
            q = q - frame @ (frame.T @ q)
        length = float(np.linalg.norm(q))
        if length > 0:
            q = q / length
            frame = np.column_stack([frame, q])
            left = np.maximum(left - (q @ Y) ** 2, 0)
        left[targets] = -1.0  # what rounding leaves of a chosen pixel must not make it the longest again
    return np.array(targets)
