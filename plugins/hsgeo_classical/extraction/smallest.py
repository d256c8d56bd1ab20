"""The smallest simplex around the pixels, soft at its faces: endmembers of scenes without pure pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo_classical.extraction.faces import face_edge

__all__ = ["Simplex", "sisal", "snug_simplex"]

_ROUNDS = 60  # quadratic models; 5 to 30 are usual
_INNER = 50  # ADMM steps of each: a rough minimum is enough, the next model starts from there
_ENOUGH = 1e-5  # gain of the objective (a relative change of the volume) below which the search ends
_HARDEST = 1e4  # weight of data without noise: pixels then lie outside by 1e-4 of an abundance at most
_MOST_OUTSIDE = 12.0  # noise never asks for more than one pixel in 12 outside a face: the volume would run away inwards
_FARTHEST = 10.0  # corners so many times farther out than the farthest pixel are an escape, not an endmember
_FLAT = 1e-12  # relative variance of a direction in which the pixels do not extend
_TURNS = 3  # searches: the second correction of the faces is a tenth of the first, the third a hundredth
_TOUCHED = 0.5  # share of the pixels near a face that lie in it: above, in most faces, the data has an edge there
_SOME = 0.3  # share above which a single face is then corrected
_FAR = 3.0  # noise standard deviations; a correction beyond this is no edge, but a simplex that fits nothing


class Simplex(NamedTuple):
    """A simplex and whether it can be trusted.

    Parameters
    ----------
    corners : numpy.ndarray
        ``(dimension, dimension + 1)``, coordinates of the pixels.
    converged : bool
        False: the search escaped or the pixels span no volume, and ``corners`` is the start.
    outside : float
        Mean over pixels and faces of the negative part of the abundances.
    """

    corners: np.ndarray
    converged: bool
    outside: float


class _Frame(NamedTuple):
    """Whitened homogeneous coordinates, in which the size of the data does not matter.

    Parameters
    ----------
    Z : numpy.ndarray
        ``(dimension + 1, pixels)``, the last row 1.
    mean : numpy.ndarray
        ``(dimension, 1)`` taken off.
    spread : numpy.ndarray
        ``(dimension, dimension)`` lower triangle that brings back the units.
    noise : numpy.ndarray
        ``(dimension, dimension)`` noise covariance in whitened coordinates.
    """

    Z: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    noise: np.ndarray

    def into(self, C: np.ndarray) -> np.ndarray:
        """Return points of the data's coordinates as homogeneous columns."""
        return np.vstack([np.linalg.solve(self.spread, C - self.mean), np.ones((1, C.shape[1]))])

    def back(self, M: np.ndarray) -> np.ndarray:
        """Return homogeneous columns as points of the data's coordinates."""
        return np.asarray(self.spread @ M[:-1] + self.mean)


def sisal(
    X: np.ndarray,
    start: np.ndarray,
    *,
    noise: float | np.ndarray = 0.0,
    weight: float | None = None,
    slack: np.ndarray | None = None,
) -> Simplex:
    """Find the smallest simplex that holds nearly all pixels.

    Bioucas-Dias, "A variable splitting augmented Lagrangian approach to linear spectral unmixing", WHISPERS 2009
    (SISAL). With ``Q`` the inverse of the corners in homogeneous coordinates ``Z`` (so that ``Q Z`` are the
    abundances), minimise ``-log|det Q| + weight * mean over pixels of sum of max(-(Q Z) - slack, 0)`` subject to
    ``1^T Q = (0, ..., 0, 1)``: a sequence of quadratic models of the logarithm with the squared gradient as curvature,
    each minimised by ADMM (SALSA) with ``V = Q Z`` split off, and a line search that lets the objective only fall.

    The published weight is a constant of the user's. Here it follows from the noise. Of pixels that fill a simplex of
    ``count`` corners evenly, noise of standard deviation ``s`` (in abundance) puts a share of
    ``(count - 1) s / sqrt(2 pi)`` outside of each face, and a face that moves in by ``d`` takes ``(count - 1) d`` off
    the logarithm of the volume: the true face is in balance exactly where ``weight = sqrt(2 pi) / s``.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in affine coordinates ``(dimension, pixels)``, finite.
    start : numpy.ndarray
        Corners to begin with, ``(dimension, dimension + 1)``, such as those of `largest_simplex`.
    noise : float or numpy.ndarray
        Standard deviation of one coordinate, or covariance ``(dimension, dimension)``; units of ``X``.
    weight : float, optional
        Price of a mean abundance of -1; the paper's lambda times the pixels. None: from the noise.
    slack : numpy.ndarray, optional
        How far outside a face is free, ``(dimension + 1,)`` in abundance; in the order of the corners.

    Returns
    -------
    Simplex
        The corners, or the start where the search escapes or has nothing to hold on to.

    Raises
    ------
    ConfigError
        If the start does not have one corner more than dimensions, or a value is not finite.
    """
    X, start = np.asarray(X, np.float64), np.asarray(start, np.float64)
    if X.ndim != 2 or start.shape != (X.shape[0], X.shape[0] + 1):
        raise ConfigError(
            f"pixels of shape {X.shape} and a start of shape {start.shape}",
            "(dimension, pixels) and (dimension, dimension + 1)",
            "Reduce the pixels to one dimension less than endmembers",
        )
    if not (np.isfinite(X).all() and np.isfinite(start).all()):
        raise ConfigError("a pixel or a corner that is not finite", "finite values", "Leave incomplete pixels out")
    frame = _frame_of(X, noise)
    if frame is None:
        return Simplex(start, False, 0.0)
    Q = _inverse(frame.into(start))
    if Q is None:
        return Simplex(start, False, 0.0)
    margin = np.zeros((len(Q), 1)) if slack is None else np.asarray(slack, np.float64)[:, None]
    Q = _search(frame, Q, weight, margin)
    M = _inverse(Q)
    reach = float(np.square(frame.Z[:-1]).sum(axis=0).max())
    if M is None or not np.isfinite(M).all() or np.square(M[:-1]).sum(axis=0).max() > _FARTHEST**2 * reach:
        return Simplex(start, False, 0.0)
    return Simplex(frame.back(M), True, float(np.maximum(-(Q @ frame.Z), 0).mean()))


def snug_simplex(X: np.ndarray, start: np.ndarray, *, noise: float | np.ndarray) -> Simplex:
    """Find the smallest simplex around noisy pixels, with faces where the pixels without noise would end.

    `sisal` with the weight that suits pixels filling the simplex evenly. Where many pixels lie in the faces (most
    materials are absent from most pixels), noise pushes half of those outside, and the simplex grows to hold them.
    Therefore the edge of the data is looked for at every face (`face_edge`), that much is granted as slack, and the
    search goes on; only where the median face is touched by half of the pixels near it, for else the edge is not
    sharp enough to tell.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in affine coordinates ``(dimension, pixels)``, finite.
    start : numpy.ndarray
        Corners to begin with ``(dimension, dimension + 1)``.
    noise : float or numpy.ndarray
        Standard deviation of one coordinate, or covariance ``(dimension, dimension)``; units of ``X``.

    Returns
    -------
    Simplex
        As of `sisal`.

    Raises
    ------
    ConfigError
        As `sisal`.
    """
    found = sisal(X, start, noise=noise)
    frame = _frame_of(np.asarray(X, np.float64), noise)
    if frame is None or not found.converged:
        return found
    slack = np.zeros(len(frame.Z))
    for _ in range(_TURNS - 1):
        Q = np.linalg.inv(frame.into(found.corners))
        blur = _face_noise(Q, frame)
        if not (blur > 1e-6).all():  # abundances without noise: the faces are where the pixels end
            break
        edges = [face_edge(a / s) for a, s in zip(Q @ frame.Z, blur, strict=True)]
        share = np.array([edge.share for edge in edges])
        at = np.array([edge.at for edge in edges])
        if np.median(share) <= _TOUCHED:
            break
        slack = slack + np.where((share > _SOME) & (np.abs(at) < _FAR), at, 0.0) * blur
        closer = sisal(X, found.corners, noise=noise, slack=slack)
        if not closer.converged:
            break
        found = closer
    return found


def _frame_of(X: np.ndarray, noise: float | np.ndarray) -> _Frame | None:
    """Whiten pixels.

    Parameters
    ----------
    X : numpy.ndarray
        ``(dimension, pixels)``.
    noise : float or numpy.ndarray
        As in `sisal`.

    Returns
    -------
    _Frame or None
        None: the pixels do not extend in every direction.
    """
    mean = X.mean(axis=1, keepdims=True)
    centred = X - mean
    covariance = centred @ centred.T / X.shape[1]
    values = np.linalg.eigvalsh(covariance)
    if not values[0] > _FLAT * values[-1]:
        return None
    spread = np.linalg.cholesky(covariance)
    noise = np.asarray(noise, np.float64)
    given = noise if noise.ndim == 2 else noise**2 * np.eye(len(X))
    half = np.linalg.solve(spread, given)
    Z = np.vstack([np.linalg.solve(spread, centred), np.ones((1, X.shape[1]))])
    return _Frame(Z, mean, spread, np.linalg.solve(spread, half.T))


def _face_noise(Q: np.ndarray, frame: _Frame) -> np.ndarray:
    """Tell how much noise the abundances of a simplex carry.

    Parameters
    ----------
    Q : numpy.ndarray
        Inverse of the homogeneous corners ``(count, count)``.
    frame : _Frame
        From `_frame_of`.

    Returns
    -------
    numpy.ndarray
        Standard deviation ``(count,)``.
    """
    return np.sqrt(np.maximum(np.einsum("ja,ab,jb->j", Q[:, :-1], frame.noise, Q[:, :-1]), 0))


def _search(frame: _Frame, Q: np.ndarray, weight: float | None, margin: np.ndarray) -> np.ndarray:
    Z = frame.Z
    U = np.zeros_like(Z)  # ADMM's multipliers, kept from model to model
    for _ in range(_ROUNDS):
        price = _weight(Q, frame) if weight is None else weight
        value = _objective(Q, Z, price, margin)
        G = _inverse(Q)
        if G is None:
            break
        D = _model_minimum(Z, Q, -G.T, price, margin, U) - Q
        step, fallen = 1.0, np.inf
        while step > 1e-6:
            fallen = _objective(Q + step * D, Z, price, margin)
            if fallen < value:
                break
            step /= 2
        if not fallen < value:
            break
        Q = Q + step * D
        if value - fallen < _ENOUGH:
            break
    return Q


def _weight(Q: np.ndarray, frame: _Frame) -> float:
    noise = float(_face_noise(Q, frame).mean())
    asked = np.sqrt(2 * np.pi) / max(noise, np.sqrt(2 * np.pi) / _HARDEST)
    return max(float(asked), _MOST_OUTSIDE * (len(Q) - 1))


def _objective(Q: np.ndarray, Z: np.ndarray, weight: float, margin: np.ndarray) -> float:
    sign, volume = np.linalg.slogdet(Q)
    if sign == 0:
        return np.inf
    return float(-volume + weight * np.maximum(-(Q @ Z) - margin, 0).sum() / Z.shape[1])


def _model_minimum(
    Z: np.ndarray, Q: np.ndarray, gradient: np.ndarray, weight: float, margin: np.ndarray, U: np.ndarray
) -> np.ndarray:
    """Minimise ``<g, D> + sum(g^2 D^2) / 2 + weight * hinge`` over ``Q + D`` by ADMM; ``U`` is updated in place."""
    count, pixels = Z.shape
    curvature = gradient**2 + 1e-8  # flat where the gradient is 0: a little keeps the systems regular
    penalty = 2 * weight  # splits abundances and V at the scale of half an abundance; 0.5 to 10 need as many steps
    systems = curvature[:, :, None] * np.eye(count) + penalty * (Z @ Z.T) / pixels
    K = np.linalg.inv(systems)
    S = np.linalg.inv(K.sum(axis=0))
    total = np.zeros(count)
    total[-1] = 1.0
    fixed = curvature * Q - gradient
    now, A = Q, Q @ Z
    for _ in range(_INNER):
        V = A - U
        V = np.where(V + margin > 0, V, np.minimum(V + weight / penalty, -margin))
        right = fixed + penalty * ((V + U) @ Z.T) / pixels
        free = np.einsum("jab,jb->ja", K, right)
        new = free + np.einsum("jab,b->ja", K, S @ (total - free.sum(axis=0)))
        A = new @ Z
        U -= A - V
        moved, apart = np.abs(new - now).max(), np.abs(new - Q).max()
        now = new
        if moved <= 1e-3 * apart:
            break
    return now


def _inverse(M: np.ndarray) -> np.ndarray | None:
    """Return the inverse, or None where it means nothing."""
    if not np.isfinite(M).all() or np.linalg.cond(M) > 1e10:
        return None
    return np.linalg.inv(M)
