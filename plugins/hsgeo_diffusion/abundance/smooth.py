"""Total variation of a window at a few fixed weights: what the neighbours say without any training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers import (
    MixingModel,
    VectorTvModel,
    mixing_model,
    solve_block,
    split_gain,
    vector_rof,
    vector_tv_model,
)
from hsgeo.spectra.solvers.estimate import Mixing, product

__all__ = ["WEIGHTS", "Smoother", "coordinates", "smoothed", "smoother"]

WEIGHTS = (0.6, 1.5, 4.0)
"""Weights of the maps, in units of the noise: real scenes are best between 0.35 and 1.4, flat grounds at 2 and above;
the network takes of each, pixel by pixel, what fits."""


@dataclass(frozen=True)
class Smoother:
    """Endmembers and noise as `smoothed` needs them.

    Parameters
    ----------
    model : VectorTvModel
        Coordinates in which the noise is white.
    solver : MixingModel or None
        The pixelwise problem in the basis of the model: as many bands as channels, the same solution. None where the
        endmembers do not differ, and there is nothing to smooth.
    """

    model: VectorTvModel
    solver: MixingModel | None


def smoother(mix: Mixing) -> Smoother:
    """Make endmembers ready.

    Parameters
    ----------
    mix : Mixing
        Endmembers, convention, noise.

    Returns
    -------
    Smoother
        The operators.
    """
    model = vector_tv_model(mix.E, mix.noise, peak=mix.peak)
    if not model.channels:
        return Smoother(model, None)
    solver = mixing_model(model.basis.T @ (mix.E - model.origin[:, None]), "nnls" if mix.peak else "fcls")
    return Smoother(model, solver)


def coordinates(filled: np.ndarray, valid: np.ndarray, smooth: Smoother) -> np.ndarray:
    """Turn spectra into the coordinates in which the noise is white and of size one.

    Parameters
    ----------
    filled : numpy.ndarray
        ``(band, y, x)`` float32, finite.
    valid : numpy.ndarray
        ``(y, x)`` bool.
    smooth : Smoother
        From `smoother`.

    Returns
    -------
    numpy.ndarray
        ``(y, x, channel)`` float32, NaN in invalid pixels.
    """
    model = smooth.model
    flat = filled.reshape(len(filled), -1)
    C = product(model.whiten.astype(np.float32), flat) - (model.whiten @ model.origin).astype(np.float32)[:, None]
    C = np.where(valid.ravel(), C, np.float32(np.nan))
    return np.ascontiguousarray(C.T).reshape(*valid.shape, -1)


def smoothed(C: np.ndarray, weight: float, smooth: Smoother) -> np.ndarray:
    """Smooth coordinates jointly (`hsgeo.spectra.solvers.vector_rof`), and solve each pixel.

    Parameters
    ----------
    C : numpy.ndarray
        ``(y, x, channel)`` of `coordinates`.
    weight : float
        Units of the noise.
    smooth : Smoother
        From `smoother`.

    Returns
    -------
    numpy.ndarray
        Abundances ``(endmember, y, x)`` float32; NaN in invalid pixels, and where nothing is left to divide.
    """
    if smooth.solver is None:
        return np.full((smooth.model.E.shape[1], *C.shape[:2]), np.nan, np.float32)
    image = vector_rof(C, weight)
    flat = product(smooth.model.factor.astype(np.float32), image.reshape(-1, image.shape[-1]).T)
    X, _ = solve_block(flat, smooth.solver)
    A = split_gain(X)[0] if smooth.model.peak else X
    return np.asarray(A, np.float32).reshape(-1, *C.shape[:2])
