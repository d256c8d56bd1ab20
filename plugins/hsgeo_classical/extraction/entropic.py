"""Entropic archetypal analysis, many restarts at once: archetypes that are mixtures of pixels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

__all__ = ["Archetypes", "entropic_archetypes"]

_ROUNDS = 100  # alternations, and
_STEPS = 5  # steps of A and of B in each: the paper's T = 100, K1 = K2 = 5
_TOGETHER = 8  # restarts in one batch: 3200 pixels of 6 endmembers are 0.6 MB, within a core's cache
_B_STEP = 8.0  # the Lipschitz bound of B's gradient is loose by about this much (2000 pixels, Samson and Jasper Ridge)


class Archetypes(NamedTuple):
    """All restarts of one analysis.

    Parameters
    ----------
    E : numpy.ndarray
        ``(restarts, dimension, endmembers)`` float32.
    fit : numpy.ndarray
        ``(restarts,)`` mean absolute residual.
    """

    E: np.ndarray
    fit: np.ndarray


def entropic_archetypes(X: np.ndarray, start: np.ndarray, step: np.ndarray) -> Archetypes:
    """Factor ``X = X B A`` with the columns of ``B`` and ``A`` on the simplex, by entropic descent.

    Zouaoui, Muhawenayo, Rasti, Chanussot and Mairal, "Entropic descent archetypal analysis for blind hyperspectral
    unmixing", IEEE TIP 2023, equations 8 to 11: alternate multiplicative steps
    ``A <- softmax(log A - eta E^T (E A - X))`` and ``B <- softmax(log B - eta X^T (E A - X) A^T)``.

    Parameters
    ----------
    X : numpy.ndarray
        ``(dimension, pixels)``, columns of about unit length.
    start : numpy.ndarray
        Logarithms of the first ``B``, ``(restarts, endmembers, pixels)``.
    step : numpy.ndarray
        ``(restarts,)`` factor of the step sizes; other factors find other optima.

    Returns
    -------
    Archetypes
        Every restart's archetypes and how well they fit.
    """
    X = np.ascontiguousarray(X, dtype=np.float32)
    factor = step.astype(np.float32)[:, None, None]
    parts = [slice(at, at + _TOGETHER) for at in range(0, len(start), _TOGETHER)]
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:  # restarts know nothing of each other
        found = list(pool.map(lambda part: _descend(X, start[part], factor[part]), parts))
    return Archetypes(np.concatenate([E for E, _ in found]), np.concatenate([fit for _, fit in found]))


def _descend(X: np.ndarray, start: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run some restarts; ``B`` is held as ``(restarts, endmembers, pixels)``, so that its sums run along memory."""
    log_B = np.array(start, dtype=np.float32)
    B = _softmax(log_B, 2)
    log_A = np.zeros_like(log_B)
    A = np.full_like(log_A, 1 / start.shape[1])
    for _ in range(_ROUNDS):
        E_T = B @ X.T
        gram, cross = E_T @ E_T.transpose(0, 2, 1), E_T @ X
        eta = factor / np.linalg.norm(gram, 2, axis=(1, 2))[:, None, None]
        for _ in range(_STEPS):
            log_A -= eta * (gram @ A - cross)
            A = _softmax(log_A, 1)
        spread, mixed = A @ A.transpose(0, 2, 1), A @ X.T
        eta = _B_STEP * factor / np.linalg.norm(spread, 2, axis=(1, 2))[:, None, None]
        for _ in range(_STEPS):
            log_B -= (eta * (spread @ (B @ X.T) - mixed)) @ X
            B = _softmax(log_B, 2)
    E = (B @ X.T).transpose(0, 2, 1)
    return E, np.abs(X - E @ A).mean(axis=(1, 2))


def _softmax(logs: np.ndarray, axis: int) -> np.ndarray:
    """Normalise over an axis, in place where it can: ``logs`` keeps its largest entry at 0."""
    logs -= logs.max(axis=axis, keepdims=True)
    weights = np.exp(logs)
    weights /= weights.sum(axis=axis, keepdims=True)
    return weights
