"""``tv*``: a rival that knows the answer. Total variation, its weight and form chosen on the truth, case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.evaluation.noise.closed import closed_form, shares
from hsgeo.evaluation.noise.rof import rof
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers import fcls, nnls

__all__ = ["Tuned", "best_weight", "tuned_tv"]

_LOOKS = 2  # halvings of the steps of the grid around its best weight: the error is within 1 % of the best then

# Weights of the prior in rounds of half-quadratic splitting, in units of the mean curvature of the data. Constant is
# best on cartoons, rising (as in plug-and-play restoration) on real scenes.
_STEADY = np.full(10, 0.03)
_RISING = np.geomspace(0.01, 0.3, 8)

_DIRECT = np.geomspace(1e-3, 1, 7)  # abundances
_SPLIT = np.geomspace(1e-5, 0.1, 9)  # in units of the mean curvature of the data; 30 to 10 dB need 1e-5 to 2e-3
_DARKEST = 1e-4  # smallest gain of a pixel: black ones say nothing

Error = Callable[[np.ndarray], float]


class Tuned(NamedTuple):
    """The best of many solutions.

    Parameters
    ----------
    A : numpy.ndarray
        Abundances ``(pixels, endmembers)``.
    error : float
        Of these.
    weight : float
        That gave them, in the units of its form; 0: nothing was better than the closed form.
    form : str
        Which solver.
    """

    A: np.ndarray
    error: float
    weight: float
    form: str


def best_weight(
    solve: Callable[[float], Iterator[np.ndarray]], error: Error, weights: Sequence[float] | np.ndarray, *, form: str
) -> Tuned:
    """Choose a weight by the true error: a grid, and halved steps around its best.

    Parameters
    ----------
    solve : callable
        ``solve(weight)`` yields abundances to choose from.
    error : callable
        ``error(A)`` against the truth.
    weights : sequence of float
        The grid, geometric.
    form : str
        Said in the result.

    Returns
    -------
    Tuned
        The best one.
    """

    def tried(weight: float) -> Tuned:
        return min((Tuned(A, error(A), weight, form) for A in solve(weight)), key=lambda one: one.error)

    best = min((tried(float(weight)) for weight in weights), key=lambda one: one.error)
    step = float(np.sqrt(weights[1] / weights[0]))
    for _ in range(_LOOKS):
        best = min((best, tried(best.weight / step), tried(best.weight * step)), key=lambda one: one.error)
        step = float(np.sqrt(step))
    return best


def tuned_tv(image: np.ndarray, E: np.ndarray, *, peak: bool, error: Error) -> Tuned:
    """Regularise abundances by channelwise total variation, with the weight that is best on the truth.

    The best of: the closed form's maps denoised; half-quadratic splitting that alternates the convention's constrained
    solve, pulled towards the maps, with their denoising, the pull steady or rising; the same with a plain
    least-squares step under sum one and a gain per pixel (`peak`: fitted in every round; else 1). Maps are those of the
    coefficients that are solved for; they become abundances by their sum or by projection onto the simplex.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``, finite.
    E : numpy.ndarray
        ``(bands, endmembers)`` in the convention.
    peak : bool
        As in `closed_form`.
    error : callable
        ``error(A)`` of abundances ``(pixels, endmembers)`` against the truth.

    Returns
    -------
    Tuned
        Never worse than the closed form.

    Raises
    ------
    ConfigError
        The image is not finite.
    """
    if not np.isfinite(image).all():
        raise ConfigError("an image with missing values", "a finite one: differences to a missing pixel say nothing")
    rows, cols, bands = image.shape
    Y = np.asarray(image, np.float64).reshape(-1, bands)
    start = closed_form(Y, E, peak=peak)
    G = E.T @ E
    bright = float(np.mean(start.B.sum(axis=1) ** 2))  # of a typical pixel's gain, squared
    curvature = float(np.trace(G)) / len(G)

    def smooth(B: np.ndarray, weight: float) -> np.ndarray:
        maps = np.ascontiguousarray(B.T, np.float32).reshape(-1, rows, cols)
        return rof(maps, weight).reshape(len(maps), -1).T.astype(np.float64)

    to_abundances = shares if peak else project_simplex

    def direct(weight: float) -> Iterator[np.ndarray]:
        yield to_abundances(smooth(start.B, weight))
        if peak:
            yield project_simplex(smooth(start.A, weight))

    def constrained(pulls: np.ndarray) -> Callable[[float], Iterator[np.ndarray]]:
        def solve(weight: float) -> Iterator[np.ndarray]:
            Z = B = start.B
            for pull in pulls * curvature:
                B = (nnls if peak else fcls)(Y, E, rho=float(pull), prior=Z)
                Z = smooth(B, weight * curvature / pull)
            yield to_abundances(np.asarray(B, np.float64))
            yield to_abundances(Z)

        return solve

    values, Q = np.linalg.eigh(G)
    F, ones = Y @ E, Q.sum(axis=0)

    def plain(weight: float) -> Iterator[np.ndarray]:
        Z, gain = start.A, np.ones(len(Y))
        A = Z
        for pull in _RISING * curvature * (bright if peak else 1.0):
            if peak:
                length = np.einsum("np,pq,nq->n", Z, G, Z)
                fitted = np.einsum("np,np->n", F, Z) / np.where(length > 0, length, 1.0)
                gain = np.maximum(fitted, _DARKEST)
            inverse = 1 / (gain[:, None] ** 2 * values + pull)
            X = inverse * (gain[:, None] * (F @ Q) + pull * (Z @ Q))
            lack = (1 - X @ ones) / (inverse @ ones**2)
            A = (X + lack[:, None] * inverse * ones) @ Q.T
            Z = project_simplex(smooth(A, weight * curvature / pull))
        yield project_simplex(A)
        yield Z

    kept = Tuned(start.A, error(start.A), 0.0, "closed form")
    if not curvature > 0 or not bright > 0:  # nothing can be told apart, or all is black
        return kept
    found = [
        best_weight(direct, error, _DIRECT, form="rof"),
        best_weight(constrained(_STEADY), error, _SPLIT, form="steady splitting"),
        best_weight(constrained(_RISING), error, _SPLIT, form="rising splitting"),
        best_weight(plain, error, _SPLIT * (bright if peak else 1.0), form="plain splitting"),
    ]
    return min((kept, *found), key=lambda one: one.error)
