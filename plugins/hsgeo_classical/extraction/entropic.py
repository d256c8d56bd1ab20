"""Entropic archetypal analysis, many restarts at once: archetypes that are mixtures of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Archetypes", "entropic_archetypes"]

_ROUNDS = 100  # alternations, and
_STEPS = 5  # steps of A and of B in each: the paper's T = 100, K1 = K2 = 5
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
        Logarithms of the first ``B``, ``(restarts, pixels, endmembers)``.
    step : numpy.ndarray
        ``(restarts,)`` factor of the step sizes; other factors find other optima.

    Returns
    -------
    Archetypes
        Every restart's archetypes and how well they fit.
    """
    X = np.ascontiguousarray(X, dtype=np.float32)
    restarts, pixels, count = start.shape
    factor = step.astype(np.float32)[:, None, None]
    log_B = np.array(start, dtype=np.float32)
    B = _softmax(log_B)
    log_A = np.zeros((restarts, count, pixels), np.float32)
    A = np.full_like(log_A, 1 / count)
    for _ in range(_ROUNDS):
        E = X @ B
        E_T = E.transpose(0, 2, 1)
        gram, cross = E_T @ E, E_T @ X
        eta = factor / np.linalg.norm(gram, 2, axis=(1, 2))[:, None, None]
        for _ in range(_STEPS):
            log_A -= eta * (gram @ A - cross)
            A = _softmax(log_A)
        A_T = A.transpose(0, 2, 1)
        spread, mixed = A @ A_T, X @ A_T
        eta = _B_STEP * factor / np.linalg.norm(spread, 2, axis=(1, 2))[:, None, None]
        for _ in range(_STEPS):
            log_B -= eta * (X.T @ ((X @ B) @ spread - mixed))
            B = _softmax(log_B)
    E = X @ B
    fit = np.abs(X - E @ A).mean(axis=(1, 2))
    return Archetypes(E, fit)


def _softmax(logs: np.ndarray) -> np.ndarray:
    """Normalise over the second axis, in place where it can: ``logs`` keeps its largest entry at 0."""
    logs -= logs.max(axis=1, keepdims=True)
    weights = np.exp(logs)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
