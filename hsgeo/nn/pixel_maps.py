"""What a network is told of each pixel by itself: estimate, error, misfit, brightness."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.solvers.estimate import Estimate, Mixing

__all__ = ["MAPS", "pixel_maps", "reach"]

MAPS = 8
"""Maps per endmember: closed form, least squares, their difference over the error, error, misfit, brightness, valid,
convention."""

_WIDE = 2.0  # half of the largest correction: 1 / _WIDE; no abundance is ever more than 1 off


def reach(std: np.ndarray) -> np.ndarray:
    """Tell how far the network may move an abundance: the error, up to half of the whole range.

    Parameters
    ----------
    std : numpy.ndarray
        Standard deviation of the abundance.

    Returns
    -------
    numpy.ndarray
        ``std / sqrt(1 + (2 std)^2)``: 0 without noise, at most 0.5.
    """
    return np.asarray(std / np.sqrt(1 + (_WIDE * std) ** 2))


def pixel_maps(est: Estimate, mix: Mixing) -> np.ndarray:
    """Stack what each pixel says by itself, for a network.

    Parameters
    ----------
    est : Estimate
        Of the pixels.
    mix : Mixing
        That it was made with.

    Returns
    -------
    numpy.ndarray
        ``(endmember, MAPS, pixel)`` float32, each map about -2 ... 2, and 0 in invalid pixels.
    """
    valid = np.isfinite(est.closed[0])
    level = np.float32(np.sqrt(np.mean(mix.noise**2)))
    bright = np.sqrt(np.einsum("bn,bn->n", est.filled, est.filled) / len(est.filled)) / level
    with np.errstate(invalid="ignore", divide="ignore"):
        error = (est.plain - est.closed) / np.maximum(est.std, 1e-6)
        shared = (np.log10(np.clip(est.misfit, 0.1, 1e3)), 0.5 * np.log10(np.clip(bright, 0.1, 1e5)))
        each = (
            est.closed,
            np.clip(est.plain, -1, 2),
            np.clip(error, -4, 4) / 2,
            np.log10(est.std + 1e-4) + 1,  # 1: an error of 0.1 is 0
            *(np.broadcast_to(s, est.closed.shape) for s in shared),
            np.ones_like(est.closed),
            np.full_like(est.closed, 1.0 if mix.peak else 0.0),
        )
    out = np.stack(each, axis=1)
    out[:, :, ~valid] = 0
    return np.asarray(out, np.float32)
