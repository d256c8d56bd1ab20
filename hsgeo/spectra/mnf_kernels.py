"""The compiled loop that projects pixels on a subspace. Nothing here may depend on where a pixel stands."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["denoise"]

_PIXELS = 256  # pixels at a time: the sums of 20 components (40 kB) stay near the core
_ROUNDS = 30  # of filling missing bands: with 5 % missing each round shrinks the error by far more than half


@njit(cache=True, nogil=True, error_model="numpy")
def denoise(Y, mean, forward, inverse):
    """Project ``Y (bands, pixels)``; see `hsgeo.spectra.mnf.denoise_block`."""
    bands, pixels = Y.shape
    count = forward.shape[1]
    out = np.empty((bands, pixels), np.float32)
    rest = np.empty((bands, _PIXELS))
    Z = np.empty((count, _PIXELS))
    z, fill = np.empty(count), np.empty(bands)
    line = np.empty(_PIXELS)
    for start in range(0, pixels, _PIXELS):
        size = min(_PIXELS, pixels - start)
        Z[:] = 0.0
        for b in range(bands):
            for p in range(size):
                rest[b, p] = np.float64(Y[b, start + p]) - mean[b]
            for k in range(count):
                f = forward[b, k]
                for p in range(size):
                    Z[k, p] += f * rest[b, p]
        for b in range(bands):
            for p in range(size):
                line[p] = mean[b]
            for k in range(count):
                g = inverse[k, b]
                for p in range(size):
                    line[p] += g * Z[k, p]
            for p in range(size):
                out[b, start + p] = line[p]
        for p in range(size):
            missing = 0
            for b in range(bands):
                if not np.isfinite(Y[b, start + p]):
                    missing += 1
            if missing == 0:
                continue
            if missing == bands:
                for b in range(bands):
                    out[b, start + p] = np.nan
                continue
            fill[:] = 0.0
            for _ in range(_ROUNDS):
                z[:] = 0.0
                for b in range(bands):
                    value = rest[b, p] if np.isfinite(Y[b, start + p]) else fill[b]
                    for k in range(count):
                        z[k] += forward[b, k] * value
                for b in range(bands):
                    value = 0.0
                    for k in range(count):
                        value += inverse[k, b] * z[k]
                    fill[b] = value
            for b in range(bands):
                out[b, start + p] = mean[b] + fill[b] if np.isfinite(Y[b, start + p]) else np.nan
    return out
