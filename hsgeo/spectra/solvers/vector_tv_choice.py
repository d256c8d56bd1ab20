"""How much to smooth, without the truth: Stein's unbiased estimate of the error of abundances, by perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.model import solve_block
from hsgeo.spectra.solvers.stein import (
    STEP,
    Gauge,
    SteinFrame,
    coordinates_of,
    drawn,
    gauge,
    known_pixels,
    stein_frame,
    typical,
)
from hsgeo.spectra.solvers.vector_rof import ROUNDS, vector_rof
from hsgeo.spectra.solvers.vector_tv import VectorTvModel

__all__ = ["WEIGHTS", "WeightChoice", "choose_weight"]

WEIGHTS = (0.0, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)
"""Weights tried, in units of the noise: Samson and Jasper Ridge are best between 0.5 and 2.8, flat regions above."""

# A sample this large needs one perturbation; smaller ones get more, up to eight: with one of 4096 pixels the choice of
# a scene went between three weights, the worst with a fifth more error than the best.
_ENOUGH = 16_384
_MOST = 8

# Of the noise's variance, for every channel: how much worse the prediction may get. At 40 dB none and a fifth do at
# most 1.0 % harm on 33 scenes, a half does 6.6 %; at 10 to 20 dB a fifth gains 3 % over none on 20 of them.
_ALLOWED = 0.2


class WeightChoice(NamedTuple):
    """What was tried, and what was best.

    Parameters
    ----------
    weight : float
        The choice, in units of the noise.
    weights : numpy.ndarray
        ``(tried,)``, what it was chosen from.
    abundance : numpy.ndarray
        ``(tried,)`` estimated sum of squared errors of the abundances of a pixel, up to one constant.
    prediction : numpy.ndarray
        ``(tried,)`` the same of the coordinates of unit noise, with ``peak`` across a pixel's direction.
    """

    weight: float
    weights: np.ndarray
    abundance: np.ndarray
    prediction: np.ndarray


def choose_weight(
    patches: Sequence[np.ndarray],
    model: VectorTvModel,
    *,
    rng: np.random.Generator,
    weights: Sequence[float] = WEIGHTS,
    rounds: int = ROUNDS,
) -> WeightChoice:
    """Choose the weight of `solve_vector_tv` on parts of a scene.

    Stein's estimate of the squared error of abundances, its divergence by random perturbations (Ramani, Blu and
    Unser, "Monte-Carlo SURE", 2008, equation 14), is lowest at the choice; directions that the noise hides are cut to
    size, and what no mixture explains is taken out (`hsgeo.spectra.solvers.stein`). With ``peak`` it is that of shares
    to first order, at the gains of the smoothed maps.
    Weights are not chosen that make the data's own coordinates (with ``peak``: what no gain explains of them) clearly
    worse than none does; nor is any if nothing can be told.

    Parameters
    ----------
    patches : sequence of numpy.ndarray
        ``(bands, rows, cols)`` each, float32 or float64; missing values are not finite.
    model : VectorTvModel
        From `vector_tv_model`.
    rng : numpy.random.Generator
        Draws the perturbations.
    weights : sequence of float
        Tried beside 0, units of the noise.
    rounds : int
        Steps of `vector_rof`.

    Returns
    -------
    WeightChoice
        The choice and its reasons.

    Raises
    ------
    ConfigError
        There are no patches, or weights are negative.
    """
    tried = np.unique(np.r_[0.0, np.asarray(weights, np.float64)])
    if not len(patches) or not (np.isfinite(tried).all() and tried[0] >= 0):
        raise ConfigError(
            f"{len(patches)} patches, weights {tried}", "at least one patch, weights of at least 0", "Give a patch"
        )
    images = [coordinates_of(patch, model) for patch in patches] if model.channels else []
    images = [image for image in images if known_pixels(image).any()]
    if not images:
        return WeightChoice(0.0, tried, np.zeros(len(tried)), np.zeros(len(tried)))
    frame = stein_frame(model)
    pixels = sum(int(known_pixels(image).sum()) for image in images)
    repeats = min(-(-_ENOUGH // pixels), _MOST)
    draws = [[drawn(rng, (image.shape[0], image.shape[1]), frame) for _ in range(repeats)] for image in images]
    gauges = [
        [gauge(image, noise, known_pixels(image), frame, rounds=rounds) for noise in some]
        for image, some in zip(images, draws, strict=True)
    ]
    full = typical([of for some in gauges for of in some])
    sums = np.zeros((2, len(tried)))
    for image, some, of in zip(images, draws, gauges, strict=True):
        sums += _scores(image, some, of, frame, full, tried, rounds)
    abundance, prediction = sums / (pixels * repeats)
    allowed = prediction <= prediction[0] + _ALLOWED * model.channels
    best = int(np.argmin(np.where(allowed, abundance, np.inf)))
    return WeightChoice(float(tried[best]), tried, abundance, prediction)


def _scores(
    C: np.ndarray,
    noises: Sequence[np.ndarray],
    gauges: Sequence[Gauge],
    frame: SteinFrame,
    full: float,
    weights: np.ndarray,
    rounds: int,
) -> np.ndarray:
    """Sum both estimates over the pixels and the perturbations of a patch, ``(2, weights)``."""
    known = known_pixels(C)

    def solved(image: np.ndarray, weight: float) -> np.ndarray:
        smooth = vector_rof(image, weight, rounds=rounds)[known].astype(np.float64)
        X = solve_block(np.einsum("mk,nk->mn", frame.model.factor, smooth), frame.solver)[0].T
        if frame.model.peak:
            total = X.sum(axis=1, keepdims=True)
            X = np.where(total > 0, X / np.where(total > 0, total, 1), 1 / X.shape[1])
        return np.asarray(X)

    out = np.zeros((2, len(weights)))
    for n, weight in enumerate(weights):
        A = solved(C, float(weight))
        for noise, of in zip(noises, gauges, strict=True):
            wrong = of.error(A, frame)
            follows = of.change(A, solved(C + np.float32(STEP) * noise, float(weight)), frame)
            wrong_A, told, follows_A = (of.abundance(R, frame, full) for R in (wrong, of.own, follows))
            out[0, n] += np.sum(wrong_A**2) + 2 * np.sum(told * follows_A)
            wrong, told, follows = (of.prediction(R, frame) for R in (wrong, of.own, follows))
            out[1, n] += np.sum(wrong**2) + 2 * np.sum(told * follows)
    return out
