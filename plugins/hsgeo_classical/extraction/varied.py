"""Scenes whose materials vary and are shaded: vertices of the pixels' directions, the best of many hypotheses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.metrics import match
from hsgeo.spectra.solvers import mixing_model, solve_block
from hsgeo_classical.extraction.entropic import Archetypes, entropic_archetypes
from hsgeo_classical.extraction.purest import largest_simplex
from hsgeo_classical.extraction.vertices import Vertices, gather, refine_directions, unit
from hsgeo_classical.sample import keyed_normal, keyed_order

__all__ = ["Ensemble", "Start", "best_vertices"]

_SPREAD = 3.0  # restarts step with factors 2^-3 ... 2^3, as published
_AMONG = 8000  # pixels among which means are taken
_MEANS = (0.005, 0.01, 0.02, 0.04)  # shares of those: small ones find rare materials, large ones heed variability
_DRAWS, _KEPT = 40, 3  # starts of the largest simplex for each share, and how many of its optima are hypotheses
_WIDTH = 0.05  # radians around a vertex in which pixels make up an archetype that begins there
_PACES = (0.25, 1.0, 4.0)  # factors of the step sizes from such a beginning
_HYPOTHESES = 40  # archetypes, the best in fit first, that are moved and judged
_JUDGES = 3000  # pixels that judge: enough to tell 1 %
_WORSE = 0.25  # archetypes that fit so much worse than the best are not looked at
_MISFIT, _SIMILAR, _PURITY = 2.0, 0.2, 3.0  # prices; the middle of a broad optimum on procedural scenes (ADR 0009)
_PURE = 0.95  # share from which a pixel counts as pure
_DEAR = 0.03  # difference in price that sets two solutions apart
_KIN = 0.15  # radians; solutions whose endmembers all lie this close are the same one
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
    """The vertices chosen, and the other solutions.

    Parameters
    ----------
    vertices : Vertices
        Directions and their clusters.
    members : numpy.ndarray
        ``(members, dimension, endmembers)`` directions, cheapest first, in the order of the chosen ones.
    dearer : numpy.ndarray
        ``(members,)`` price above the cheapest.
    """

    vertices: Vertices
    members: np.ndarray
    dearer: np.ndarray


def best_vertices(start: Start, count: int, rng: np.random.Generator, *, restarts: int, seed: int) -> Ensemble:
    """Find the vertices of the pixels' directions.

    1. Archetypes from many starts (`entropic_archetypes`): random ones, and the largest simplexes of means of
       neighbouring directions, for four widths of the mean. The random starts find what real scenes need, the
       simplexes what scenes with many materials need.
    2. The best are moved to where their materials have their mean (`refine_directions`).
    3. Each has a price: misfit before and after the move, endmembers that are alike, and few pixels that are pure
       (shares above 0.95). The cheapest is taken, averaged with those that found nearly the same at nearly the price,
       so that one pixel more or less hardly matters.

    Misfit alone tells little between good solutions (Zouaoui et al., 2023, take the least alike of them); the share of
    pure pixels tells most.

    Parameters
    ----------
    start : Start
        The pixels.
    count : int
        Endmembers, at least 2.
    rng : numpy.random.Generator
        Draws the starts of the largest simplexes.
    restarts : int
        Random starts of the archetypal analysis; 0: a quick look, from simplexes alone.
    seed : int
        Draws its first weights, by position.

    Returns
    -------
    Ensemble
        The choice and its rivals.
    """
    D = start.X / start.length
    simplexes = _simplexes_of_means(start, D, count, rng, seed)
    found = _archetypes(start, D, simplexes, count, restarts, seed)
    best = np.argsort(found.fit, kind="stable")[:_HYPOTHESES]
    judges = np.ascontiguousarray(D[:, keyed_order(start.key, seed)[:_JUDGES]], dtype=np.float32)
    guesses = [found.E[r].astype(np.float64) for r in best]
    moved = [refine_directions(start.X, start.length, E, start.noise).E for E in guesses]
    price = _prices(start.basis, judges, guesses, moved, found.fit[best])
    return _consensus(start, moved, price)


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


def _archetypes(
    start: Start, D: np.ndarray, simplexes: list[np.ndarray], count: int, restarts: int, seed: int
) -> Archetypes:
    C = D[:, start.core]
    first = [0.1 * keyed_normal(start.key[start.core], seed + 1 + r, count) for r in range(restarts)]
    step = list(2.0 ** np.linspace(-_SPREAD, _SPREAD, restarts)) if restarts > 1 else [1.0] * restarts
    paces = _PACES if restarts else (1.0,)
    for E in simplexes:
        apart = np.square(C[:, None, :] - E[:, :, None]).sum(axis=0)
        first += [-apart / (2 * _WIDTH**2)] * len(paces)
        step += paces
    return entropic_archetypes(C, np.stack(first), np.array(step))


def _fit(D: np.ndarray, E: np.ndarray) -> float:
    """Mean over pixels of the rms distance of directions from the simplex of ``E``."""
    return float(solve_block(D, mixing_model(E, "fcls"))[1].mean(dtype=np.float64))


def _prices(
    basis: np.ndarray, D: np.ndarray, guesses: list[np.ndarray], moved: list[np.ndarray], fit: np.ndarray
) -> np.ndarray:
    """Say what speaks against each solution; infinite where its archetypes fit far worse than the best."""
    after = np.array([_fit(D, E) for E in moved])
    alike = np.array([_largest_correlation(basis @ E) for E in guesses])
    pure = np.array([_pure(D, E) for E in moved])
    least = float(np.finfo(np.float64).tiny)
    worse, still = fit / max(float(fit.min()), least) - 1, after / max(float(after.min()), least) - 1
    return np.where(worse <= _WORSE, _MISFIT * (worse + still) + _SIMILAR * alike - _PURITY * pure, np.inf)


def _pure(D: np.ndarray, E: np.ndarray) -> float:
    """Share of pixels that are almost only one endmember."""
    h = solve_block(D, mixing_model(E, "nnls"))[0] * np.linalg.norm(E, axis=0)[:, None]
    return float((h.max(axis=0) > _PURE * np.maximum(h.sum(axis=0), np.finfo(np.float32).tiny)).mean())


def _consensus(start: Start, solutions: list[np.ndarray], price: np.ndarray) -> Ensemble:
    """Average the cheapest solution with its kin, weighted by price and similarity.

    The average moves smoothly with the sample; the choice of one does not.
    """
    order = np.argsort(price, kind="stable")
    order = order[np.isfinite(price[order])]
    more = price[order] - price[order[0]]
    chosen = solutions[order[0]]
    total, weights = np.zeros_like(chosen), 0.0
    members = []
    for i, dearer in zip(order, more, strict=True):
        paired = match(solutions[i], chosen)
        members.append(solutions[i][:, paired.order])
        weight = float(np.exp(-dearer / _DEAR) * max(1 - (paired.cost.max() / _KIN) ** 2, 0))
        total, weights = total + weight * members[-1], weights + weight
    vertices = gather(start.X, start.length, total / weights, start.noise)
    return Ensemble(vertices, np.stack(members[:_MEMBERS]), more[:_MEMBERS])


def _largest_correlation(E: np.ndarray) -> float:
    """Largest correlation over the bands between two spectra; a flat one correlates with none."""
    centred = E - E.mean(axis=0)
    direction = unit(centred)
    correlation = direction.T @ direction
    np.fill_diagonal(correlation, -1)
    return float(correlation.max())
