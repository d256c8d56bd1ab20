"""The compiled loop of total-variation denoising: dual steps on one map."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["dual_steps"]


@njit(cache=True, nogil=True, error_model="numpy")
def dual_steps(image, weight, rounds, down, across, last_down, last_across, out):
    """Take accelerated projected dual steps and leave the denoised map in ``out``; the four duals begin as zeros.

    The step is 1/8, one over the norm of the Laplacian. The last step does not look ahead, so that ``out`` belongs to
    a dual that is feasible.
    """
    rows, cols = image.shape
    one, ratio = image.dtype.type(1.0), image.dtype.type(0.125) / weight
    t = 1.0
    for turn in range(rounds + 1):
        for i in range(rows):
            for j in range(cols):
                value = down[i, j] + across[i, j]
                if i:
                    value -= down[i - 1, j]
                if j:
                    value -= across[i, j - 1]
                out[i, j] = image[i, j] + weight * value
        if turn == rounds:
            return
        ahead = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        pull = image.dtype.type((t - 1.0) / ahead if turn < rounds - 1 else 0.0)
        t = ahead
        for i in range(rows):
            for j in range(cols):
                p, q = down[i, j], across[i, j]
                if i < rows - 1:
                    p += ratio * (out[i + 1, j] - out[i, j])
                if j < cols - 1:
                    q += ratio * (out[i, j + 1] - out[i, j])
                length = max(one, np.sqrt(p * p + q * q))
                p, q = p / length, q / length
                down[i, j] = p + pull * (p - last_down[i, j])
                across[i, j] = q + pull * (q - last_across[i, j])
                last_down[i, j], last_across[i, j] = p, q
