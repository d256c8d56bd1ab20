"""Who is who: one Hungarian assignment. No greedy choice, no estimate used twice, no ordering by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.metrics.endmembers import sad_matrix

__all__ = ["Match", "Pairing", "abundance_cost", "match", "match_abundances", "pair"]


class Match(NamedTuple):
    """Who is who.

    Parameters
    ----------
    order : numpy.ndarray
        ``order[q]`` is the estimate that belongs to truth ``q``: ``E[:, order]`` and ``A[:, order]`` are matched.
    cost : numpy.ndarray
        Cost of each pair, in the order of the truth.
    """

    order: np.ndarray
    cost: np.ndarray


class Pairing(NamedTuple):
    """Who is who where the counts may differ.

    Parameters
    ----------
    order : tuple of int or None
        For each truth its estimate; None: no estimate is left for it.
    cost : numpy.ndarray
        ``(truths,)``, cost of each pair; NaN without one.
    spare : tuple of int
        Estimates that belong to no truth.
    """

    order: tuple[int | None, ...]
    cost: np.ndarray
    spare: tuple[int, ...]


def pair(cost: np.ndarray) -> Pairing:
    """Pair estimates and truths at the smallest total cost: Hungarian assignment, rectangular.

    Parameters
    ----------
    cost : numpy.ndarray
        ``(estimates, truths)``, finite; the counts may differ.

    Returns
    -------
    Pairing
        As many pairs as the smaller count; the rest is left over.

    Raises
    ------
    ConfigError
        The costs are not a finite matrix.
    """
    from scipy.optimize import linear_sum_assignment

    cost = np.asarray(cost, dtype=np.float64)
    if cost.ndim != 2 or not np.isfinite(cost).all():
        raise ConfigError(
            f"costs of shape {cost.shape}, or some not finite", "a finite matrix (estimates, truths)", "Leave NaN out"
        )
    truths, estimates = linear_sum_assignment(cost.T)  # by truth: ties fall to the earlier truth
    order: list[int | None] = [None] * cost.shape[1]
    paid = np.full(cost.shape[1], np.nan)
    for truth, estimate in zip(truths.tolist(), estimates.tolist(), strict=True):
        order[truth], paid[truth] = estimate, cost[estimate, truth]
    return Pairing(tuple(order), paid, tuple(sorted(set(range(cost.shape[0])) - set(estimates.tolist()))))


def match(E: np.ndarray, E_true: np.ndarray) -> Match:
    """Find which estimate is which truth: one Hungarian assignment on spectral angles.

    Parameters
    ----------
    E, E_true : numpy.ndarray
        ``(bands, endmembers)``; ``E`` has at least as many as ``E_true``, and the spare ones stay unmatched.

    Returns
    -------
    Match
        Order and angles in radians.

    Raises
    ------
    ConfigError
        Bands differ, or there are fewer estimates than truths.
    """
    return _complete(sad_matrix(E, E_true))


def abundance_cost(A: np.ndarray, A_true: np.ndarray) -> np.ndarray:
    """Measure the mean squared error between every estimated and every true abundance.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        ``(pixels, endmembers)``; the numbers of endmembers may differ. Pixels with NaN in either are left out.

    Returns
    -------
    numpy.ndarray
        ``(endmembers of A, endmembers of A_true)``.

    Raises
    ------
    ConfigError
        Pixels differ, or none is valid in both.
    """
    A, A_true = np.asarray(A, dtype=np.float64), np.asarray(A_true, dtype=np.float64)
    if A.ndim != 2 or A_true.ndim != 2 or A.shape[0] != A_true.shape[0]:
        raise ConfigError(
            f"abundances of shape {A.shape} and {A_true.shape}",
            "(pixels, endmembers), the same pixels",
            "Bring both on one grid first",
        )
    good = np.isfinite(A).all(axis=1) & np.isfinite(A_true).all(axis=1)
    if not good.any():
        raise ConfigError("no pixel is valid in both sets of abundances", "at least one", "See which pixels are NaN")
    A, A_true = A[good], A_true[good]
    return np.stack([np.mean(np.square(A - truth[:, None]), axis=0) for truth in A_true.T], axis=1)


def match_abundances(A: np.ndarray, A_true: np.ndarray) -> Match:
    """Find which estimate is which truth by abundances: one Hungarian assignment on mean squared errors.

    Where it disagrees with `match`, say so: the score then depends on the way of matching.

    Parameters
    ----------
    A, A_true : numpy.ndarray
        ``(pixels, endmembers)``; ``A`` has at least as many endmembers as ``A_true``.

    Returns
    -------
    Match
        Order and mean squared errors.

    Raises
    ------
    ConfigError
        Pixels differ, none is valid in both, or there are fewer estimates than truths.
    """
    return _complete(abundance_cost(A, A_true))


def _complete(cost: np.ndarray) -> Match:
    if cost.shape[0] < cost.shape[1]:
        raise ConfigError(
            f"{cost.shape[0]} estimates for {cost.shape[1]} truths",
            "at least as many estimates",
            "Use hsgeo.spectra.metrics.pair, which leaves truths over",
        )
    found = pair(cost)
    return Match(np.array(found.order, dtype=np.intp), found.cost)
