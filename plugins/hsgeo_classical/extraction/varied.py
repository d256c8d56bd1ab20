"""Scenes whose materials vary and are shaded: vertices of the pixels' directions, the best of many hypotheses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.metrics import match
from hsgeo.spectra.solvers import mixing_model, solve_block
from hsgeo_classical.extraction.entropic import entropic_archetypes
from hsgeo_classical.extraction.purest import largest_simplex
from hsgeo_classical.extraction.vertices import Vertices, gather, refine_directions, unit
from hsgeo_classical.sample import keyed_normal, keyed_order

__all__ = ["Ensemble", "Start", "best_vertices"]

_SPREAD = 3.0  # restarts step with factors 2^-3 ... 2^3, as published
_AMONG = 8000  # pixels among which means are taken
_MEANS = (0.005, 0.01, 0.02, 0.04)  # shares of those: small ones find rare materials, large ones heed variability
_DRAWS, _KEPT = 40, 3  # starts of the largest simplex for each share, and how many of its optima are hypotheses
_ARCHETYPES = 24  # restarts of the entropic analysis that become hypotheses, the best in fit first
_JUDGED = 1500  # pixels that judge an exchange: enough to tell 1 %
_PLACES, _TRIES = 24, 240  # vertices to choose from; exchanges tried in one sweep: fewer places for many endmembers
_SWEEPS, _FROM = 3, 2  # sweeps of exchanges, from so many of the best hypotheses
_APART = 0.02  # radians; vertices closer than this are one place
_SLACK = 1.25  # fits farther than this from the best are not looked at
_FIT, _SIMILAR, _PURITY = 2.0, 0.3, 2.0  # prices; broad optimum on procedural scenes, see docs/adr/0009
_PURE = 0.95  # share from which a pixel counts as pure
_DEAR = 0.03  # difference in price that sets two solutions apart
_KIN = 0.1  # radians; solutions whose endmembers all lie this close are the same one
_MEMBERS = 16  # solutions kept in the ensemble


class Start(NamedTuple):
    """The pixels as directions.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in subspace coordinates ``(dimension, pixels)``.
    length : numpy.ndarray
        Their `soft_length`.
    basis : numpy.ndarray
        ``(bands, dimension)``.
    key : numpy.ndarray
        ``(pixels,)`` of their positions.
    core : numpy.ndarray
        Indices of pixels drawn by position and of the farthest ones.
    noise : float
        Noise of one coordinate.
    """

    X: np.ndarray
    length: np.ndarray
    basis: np.ndarray
    key: np.ndarray
    core: np.ndarray
    noise: float


class Ensemble(NamedTuple):
    """The vertices chosen, and the other solutions that fit as well.

    Parameters
    ----------
    vertices : Vertices
        Directions and their clusters.
    members : numpy.ndarray
        ``(members, dimension, endmembers)`` directions alike in fit, in the order of the chosen ones.
    fit : numpy.ndarray
        ``(members,)`` mean residual of the directions.
    """

    vertices: Vertices
    members: np.ndarray
    fit: np.ndarray


def best_vertices(start: Start, count: int, rng: np.random.Generator, *, restarts: int, seed: int) -> Ensemble:
    """Find the vertices of the pixels' directions.

    1. Hypotheses: the largest simplexes of means of neighbouring directions, for four widths of the mean; and
       archetypes from many starts (`entropic_archetypes`).
    2. Every one is moved to where its materials have their mean (`refine_directions`).
    3. Vertices of different hypotheses are combined: one at a time is exchanged for another while the fit improves.
    4. Of the solutions within 3 % of the best fit, the one whose endmembers are least alike is taken (Zouaoui et al.,
       2023), averaged with those that found nearly the same, so that one pixel more or less hardly matters.

    The fit is judged after the second step. Before it, it says how well a search has converged; after it, how well the
    materials explain the scene.

    Parameters
    ----------
    start : Start
        The pixels.
    count : int
        Endmembers, at least 2.
    rng : numpy.random.Generator
        Draws the starts of the largest simplexes.
    restarts : int
        Starts of the archetypal analysis.
    seed : int
        Draws its first weights, by position.

    Returns
    -------
    Ensemble
        The choice and its rivals.
    """
    X, length, noise = start.X, start.length, start.noise
    D = X / length
    guesses = [*_simplexes_of_means(start, D, count, rng, seed), *_archetypes(start, D, count, restarts, seed)]
    refined = [refine_directions(X, length, E, noise).E for E in guesses]
    judges = np.ascontiguousarray(D[:, keyed_order(start.key, seed)[:_JUDGED]], dtype=np.float32)
    fits = [_fit(judges, E) for E in refined]
    order = np.argsort(fits, kind="stable")
    places = _places([refined[i] for i in order], count)
    for i in order[:_FROM]:
        better = refine_directions(X, length, _exchange(judges, refined[i], fits[i], places), noise).E
        refined.append(better)
        fits.append(_fit(judges, better))
    return _consensus(start, judges, refined, np.array(fits))


def _simplexes_of_means(
    start: Start, D: np.ndarray, count: int, rng: np.random.Generator, seed: int
) -> list[np.ndarray]:
    from scipy.spatial import cKDTree

    among = np.sort(keyed_order(start.key, seed + 1)[:_AMONG])
    sizes = [min(max(20, int(share * among.size)), among.size) for share in _MEANS]  # 20: a quarter of one's noise
    tree = cKDTree(D[:, among].T)
    near = tree.query(D[:, start.core].T, k=np.arange(1, max(sizes) + 1))[1]
    out = []
    for size in dict.fromkeys(sizes):
        means = D[:, among][:, near[:, :size]].mean(axis=2)
        centred = means - means.mean(axis=1, keepdims=True)
        vectors, values, _ = np.linalg.svd(centred, full_matrices=False)
        flat = values[: count - 1] > 1e-9 * values[0]
        Z = (vectors[:, : count - 1][:, flat].T @ centred) / values[: count - 1][flat][:, None]
        Z = np.vstack([Z, np.ones((1, Z.shape[1]))])
        volumes: dict[tuple[int, ...], float] = {}
        for _ in range(_DRAWS):
            # drawn over the bands: the signs of singular vectors, which may flip between samples, must not matter
            along = rng.standard_normal((count, len(start.basis))) @ start.basis @ vectors[:, : count - 1][:, flat]
            corners = largest_simplex(Z, np.array([int((g @ Z[:-1]).argmax()) for g in along]))
            volumes[tuple(sorted(corners.tolist()))] = -float(np.linalg.svd(Z[:, corners])[1].prod())
        out += [means[:, list(corners)] for corners in sorted(volumes, key=lambda c: (volumes[c], c))[:_KEPT]]
    return out


def _archetypes(start: Start, D: np.ndarray, count: int, restarts: int, seed: int) -> list[np.ndarray]:
    first = np.stack([0.1 * keyed_normal(start.key[start.core], seed + 1 + r, count).T for r in range(restarts)])
    step = 2.0 ** np.linspace(-_SPREAD, _SPREAD, restarts) if restarts > 1 else np.ones(1)
    found = entropic_archetypes(D[:, start.core], first, step)
    return [found.E[r].astype(np.float64) for r in np.argsort(found.fit, kind="stable")[:_ARCHETYPES]]


def _fit(D: np.ndarray, E: np.ndarray) -> float:
    """Mean over pixels of the rms distance of directions from the simplex of ``E``."""
    return float(solve_block(D, mixing_model(E, "fcls"))[1].mean(dtype=np.float64))


def _places(solutions: list[np.ndarray], count: int) -> np.ndarray:
    """Collect vertices of the best solutions that are apart."""
    most = max(_PLACES if count <= _TRIES // _PLACES else _TRIES // count, 1)
    places: list[np.ndarray] = []
    for E in solutions:
        for e in E.T:
            if len(places) < most and all(np.linalg.norm(e - place) > _APART for place in places):
                places.append(e)
    return np.stack(places, axis=1)


def _exchange(D: np.ndarray, E: np.ndarray, fit: float, places: np.ndarray) -> np.ndarray:
    """Replace vertices one by one by the place that improves the fit most, until none does."""
    E = E.copy()
    for _ in range(_SWEEPS):
        before = fit
        for p in range(E.shape[1]):
            others = np.delete(E, p, axis=1)
            best = None
            for place in places.T:
                if np.linalg.norm(others - place[:, None], axis=0).min() < _APART:
                    continue
                trial = E.copy()
                trial[:, p] = place
                now = _fit(D, trial)
                if now < fit * (1 - 1e-4):  # less is rounding
                    fit, best = now, place
            if best is not None:
                E[:, p] = best
        if fit == before:
            break
    return E


def _consensus(start: Start, D: np.ndarray, solutions: list[np.ndarray], fits: np.ndarray) -> Ensemble:
    """Take the solution of the lowest price, and average its kin.

    The average, weighted by price and similarity, moves smoothly with the sample; the choice of one does not.
    """
    ratio = fits / max(float(fits.min()), float(np.finfo(np.float64).tiny))
    good = np.flatnonzero(ratio <= _SLACK) if fits.min() > 0 else np.flatnonzero(fits == 0)
    price = np.array([_price(start, D, solutions[i], ratio[i]) for i in good])
    order = np.argsort(price, kind="stable")
    good, price = good[order], price[order] - price.min()
    chosen = solutions[good[0]]
    total, weights = np.zeros_like(chosen), 0.0
    members = []
    for i, more in zip(good, price, strict=True):
        paired = match(solutions[i], chosen)
        members.append(solutions[i][:, paired.order])
        if paired.cost.max() <= _KIN:
            weight = float(np.exp(-more / _DEAR) * (1 - (paired.cost.max() / _KIN) ** 2))
            total, weights = total + weight * members[-1], weights + weight
    vertices = gather(start.X, start.length, total / weights, start.noise)
    return Ensemble(vertices, np.stack(members[:_MEMBERS]), price[:_MEMBERS])


def _price(start: Start, D: np.ndarray, E: np.ndarray, ratio: float) -> float:
    """What speaks against a solution: misfit, endmembers that are alike, and few pixels that are pure."""
    h = solve_block(D, mixing_model(E, "nnls"))[0] * np.linalg.norm(E, axis=0)[:, None]
    pure = float((h.max(axis=0) > _PURE * np.maximum(h.sum(axis=0), np.finfo(np.float32).tiny)).mean())
    return _FIT * (ratio - 1) + _SIMILAR * _largest_correlation(start.basis @ E) - _PURITY * pure


def _largest_correlation(E: np.ndarray) -> float:
    """Largest correlation over the bands between two spectra; a flat one correlates with none."""
    centred = E - E.mean(axis=0)
    direction = unit(centred)
    correlation = direction.T @ direction
    np.fill_diagonal(correlation, -1)
    return float(correlation.max())
