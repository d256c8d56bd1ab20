"""From corners to endmembers: robust vertices among the purest pixels, and their length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.spectra.solvers import mixing_model, solve_block

__all__ = ["Vertices", "gather", "lengths", "refine_corners", "refine_directions", "soft_length", "unit"]

_SHIFTS = 10  # the mean moves by less than a tenth of its error after five
_PURE = 0.9  # share from which a pixel tells its material's length
_FEWEST = 20  # pixels in a mean: its noise is then below a quarter of one pixel's
_REACH = 1.5  # times the rms noise distance: holds 99 % of a pure cluster in 6 dimensions
_WIDEST = 0.1  # radians a cluster may reach: where noise hides more than that, a direction means nothing
_MATERIAL = 0.04  # radians; spectra of one material differ by 0.02 to 0.06, and its endmember is their mean
_MOST = 0.03  # share of the pixels that makes a mean: more (6 %) takes in mixtures, fewer (1 %) stays at the extremes
_TINY = float(np.finfo(np.float64).tiny)


class Vertices(NamedTuple):
    """Directions and the pixels they are the middle of.

    Parameters
    ----------
    E : numpy.ndarray
        Soft directions ``(dimension, endmembers)`` float64: about unit length, shorter for dark materials.
    cluster : tuple of numpy.ndarray
        For each endmember, the pixels that noise cannot tell from it.
    fewest : int
        Pixels that make a cluster worth a mean.
    """

    E: np.ndarray
    cluster: tuple[np.ndarray, ...]
    fewest: int


def soft_length(X: np.ndarray, dark: float) -> np.ndarray:
    """Return what pixels are divided by to get soft directions: their norm, never less than about ``dark``.

    A direction forgets how bright a pixel is, which makes shade harmless; but the direction of a dark pixel is noise
    and the errors of the atmospheric correction, and in a scene with water such directions would take all the
    corners. A soft direction shrinks towards the origin where the norm falls below ``dark``: dark pixels then lie
    close together, as one material.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    dark : float
        Norm of a pixel that loses 30 % of its length.

    Returns
    -------
    numpy.ndarray
        ``(pixels,)``, positive.
    """
    return np.sqrt(np.einsum("dn,dn->n", X, X, dtype=np.float64) + max(dark, _TINY) ** 2)


def refine_directions(X: np.ndarray, length: np.ndarray, E: np.ndarray, noise: float) -> Vertices:
    """Move each soft direction to the middle of the pixels that are as pure as the noise can tell.

    Mean shift: the mean of the pixels within reach of the direction, again and again. The reach is 0.04 rad, what
    spectra of one material differ by, so that the mean stands for the material and not for its most extreme pixel;
    less where that would take in more than 3 % of the pixels, more where fewer than 20 (or one in 500) would be in it,
    and never less than what noise allows for each pixel's brightness.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in subspace coordinates ``(dimension, pixels)``.
    length : numpy.ndarray
        Their `soft_length`.
    E : numpy.ndarray
        Soft directions ``(dimension, endmembers)``.
    noise : float
        Noise of one coordinate.

    Returns
    -------
    Vertices
        The directions moved.
    """
    pixels = X.shape[1]
    D, allowed = _directions(X, length, noise)
    squares = np.einsum("dn,dn->n", D, D)
    fewest = _fewest(pixels, E.shape[1])
    most = max(min(int(_MOST * pixels), pixels // (2 * E.shape[1])), fewest)
    out = np.empty(E.shape)
    for p in range(E.shape[1]):
        e = E[:, p]
        for _ in range(_SHIFTS):
            distance = _distance(e, D, squares)
            relative = distance / allowed
            wanted = min(max(int((distance <= _MATERIAL).sum()), fewest), most)
            reach = max(float(np.partition(relative, wanted - 1)[wanted - 1]), 1.0)
            near = relative <= reach
            moved = X[:, near].sum(axis=1) / length[near].sum()  # bright pixels count more: they are better known
            step = float(np.linalg.norm(moved - e))
            e = moved
            if step < 1e-7:
                break
        out[:, p] = e
    return gather(X, length, out, noise)


def gather(X: np.ndarray, length: np.ndarray, E: np.ndarray, noise: float) -> Vertices:
    """Find the pixels that noise cannot tell from each soft direction.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    length : numpy.ndarray
        Their `soft_length`.
    E : numpy.ndarray
        Soft directions ``(dimension, endmembers)``.
    noise : float
        Noise of one coordinate.

    Returns
    -------
    Vertices
        The directions and their clusters.
    """
    D, allowed = _directions(X, length, noise)
    squares = np.einsum("dn,dn->n", D, D)
    clusters = tuple(np.flatnonzero(_distance(e, D, squares) <= allowed) for e in E.T)
    return Vertices(E, clusters, _fewest(X.shape[1], E.shape[1]))


def _directions(X: np.ndarray, length: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Soft directions of pixels, and how far noise may move each."""
    # 1e-6: a scene without noise has clusters too, of the width of float32's rounding
    allowed = np.clip(_REACH * noise * np.sqrt(max(X.shape[0] - 1, 1)) / length, 1e-6, _WIDEST)
    return X / length, allowed


def _distance(e: np.ndarray, D: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(squares - 2 * (e @ D) + e @ e, 0))


def unit(E: np.ndarray) -> np.ndarray:
    """Return the columns of ``E`` at unit length."""
    return E / np.maximum(np.linalg.norm(E, axis=0), _TINY)


def refine_corners(X: np.ndarray, C: np.ndarray, noise: float) -> np.ndarray:
    """Move each corner to the middle of the pixels that noise cannot tell from it: `refine_directions` with lengths.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in subspace coordinates ``(dimension, pixels)``.
    C : numpy.ndarray
        Corners ``(dimension, endmembers)``.
    noise : float
        Noise of one coordinate.

    Returns
    -------
    numpy.ndarray
        Corners ``(dimension, endmembers)``.
    """
    dimension, pixels = X.shape
    allowed = max(_REACH * noise * np.sqrt(dimension), 1e-6 * float(np.abs(X).max()))
    fewest = _fewest(pixels, C.shape[1])
    out = C.copy()
    squares = np.einsum("dn,dn->n", X, X)
    for p in range(C.shape[1]):
        for _ in range(_SHIFTS):
            c = out[:, p]
            distance = np.sqrt(np.maximum(squares - 2 * (c @ X) + c @ c, 0))
            reach = max(float(np.partition(distance, fewest - 1)[fewest - 1]), allowed)
            moved = X[:, distance <= reach].mean(axis=1)
            step = float(np.linalg.norm(moved - c))
            out[:, p] = moved
            if step < 1e-3 * allowed:
                break
    return out


def _fewest(pixels: int, count: int) -> int:
    """Pixels that make a mean: 20 or one in 500, but never half of an endmember's fair share."""
    return min(max(_FEWEST, pixels // 500), max(pixels // (2 * count), 1))


def lengths(X: np.ndarray, vertices: Vertices, quantile: float) -> np.ndarray:
    """Give directions the length of their pure pixels: the rule of ``scale: physical``.

    Two estimates, weighted by how many pixels the first one has: the quantile of the lengths in the cluster that
    noise cannot tell from the vertex (unbiased where pure pixels abound); and the quantile of
    ``h_p / (1 - sum over q != p of h_q / length_q)`` over pixels whose share of ``p`` is above 0.9, where ``h`` are
    non-negative coefficients of the directions. Without the bracket (a pixel's rest belongs to other materials) that
    rule is off by the mixing left in such pixels.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    vertices : Vertices
        From `refine_directions`.
    quantile : float
        0 to 1; 0.5 is the median.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, positive.
    """
    E = unit(vertices.E)
    count = E.shape[1]
    h = solve_block(np.asarray(X, np.float32), mixing_model(E, "nnls"))[0].astype(np.float64)
    few = min(_FEWEST, X.shape[1])
    out = np.array([np.quantile(np.partition(e @ X, -few)[-few:], quantile) for e in E.T])
    out = np.maximum(out, _TINY)  # the longest pixels stand in for an endmember that no pixel has a positive share of
    for rounds in range(10):  # the correction is below a tenth and contracts by that much each time
        share = h / out[:, None] if rounds else h
        share = share / np.maximum(share.sum(axis=0), _TINY)
        before = out.copy()
        for p in range(count):
            present = np.flatnonzero(h[p] > 0)
            if not present.size:
                continue
            least = min(_PURE, float(np.sort(share[p, present])[-min(few, present.size)]))
            pure = present[share[p, present] >= least]
            rest = (h[:, pure] / before[:, None]).sum(axis=0) - h[p, pure] / before[p] if rounds else np.zeros(1)
            # 0.5: no correction beyond twofold
            out[p] = max(float(np.quantile(h[p, pure] / np.maximum(1 - rest, 0.5), quantile)), _TINY)
    for p, cluster in enumerate(vertices.cluster):
        if cluster.size:
            length = float(np.quantile(E[:, p] @ X[:, cluster], quantile))
            weight = cluster.size**2 / (cluster.size**2 + vertices.fewest**2)
            out[p] = weight * length + (1 - weight) * out[p]
    return out
