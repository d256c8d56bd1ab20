"""The compiled loop of vectorial total-variation denoising: dual steps on all channels of an image together."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["vector_dual_steps"]


@njit(cache=True, nogil=True, error_model="numpy")
def vector_dual_steps(image, valid, weight, rounds, dual, last, out):
    """Take accelerated projected dual steps and leave the denoised image in ``out``; the duals begin as zeros.

    ``image (rows, cols, channels)``, ``valid (rows, cols)``, ``dual`` and ``last`` ``(rows, cols, 2, channels)``:
    downwards and across. A difference to a pixel that is not valid does not exist: its dual stays zero. The step is
    1/8, one over the norm of the Laplacian; the last does not look ahead, so that ``out`` belongs to a feasible dual.
    """
    rows, cols, channels = image.shape
    one, ratio = image.dtype.type(1.0), image.dtype.type(0.125) / weight
    t = 1.0
    for turn in range(rounds + 1):
        for i in range(rows):
            for j in range(cols):
                for k in range(channels):
                    value = dual[i, j, 0, k] + dual[i, j, 1, k]
                    if i:
                        value -= dual[i - 1, j, 0, k]
                    if j:
                        value -= dual[i, j - 1, 1, k]
                    out[i, j, k] = image[i, j, k] + weight * value
        if turn == rounds:
            return
        ahead = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        pull = image.dtype.type((t - 1.0) / ahead if turn < rounds - 1 else 0.0)
        t = ahead
        for i in range(rows):
            for j in range(cols):
                if not valid[i, j]:
                    continue
                down = i < rows - 1 and valid[i + 1, j]
                across = j < cols - 1 and valid[i, j + 1]
                square = image.dtype.type(0.0)
                if down:
                    for k in range(channels):
                        dual[i, j, 0, k] += ratio * (out[i + 1, j, k] - out[i, j, k])
                        square += dual[i, j, 0, k] * dual[i, j, 0, k]
                if across:
                    for k in range(channels):
                        dual[i, j, 1, k] += ratio * (out[i, j + 1, k] - out[i, j, k])
                        square += dual[i, j, 1, k] * dual[i, j, 1, k]
                shrink = one / max(one, np.sqrt(square))
                for side in range(2):
                    for k in range(channels):
                        step = dual[i, j, side, k] * shrink
                        dual[i, j, side, k] = step + pull * (step - last[i, j, side, k])
                        last[i, j, side, k] = step
