"""From archetypes to endmembers: robust vertices among the purest pixels, and their length."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.solvers import mixing_model, solve_block

__all__ = ["physical_lengths", "refine_directions"]

_SHIFTS = 10  # the mean moves by less than a tenth of its error after five
_PURE = 0.9  # share from which a pixel tells its material's length (science: threshold of the physical rule)
_FEWEST = 20  # pixels in a mean: its noise is then below a quarter of one pixel's
_REACH = 1.5  # times the rms noise distance: holds 99.9 % of a pure cluster in 6 dimensions or more


def refine_directions(X: np.ndarray, E: np.ndarray, noise: float) -> np.ndarray:
    """Move each direction to the middle of the pixels that are as pure as the noise can tell.

    Mean shift on the sphere: the mean of the pixels within reach of the direction, again and again. Where many
    pure pixels form a cluster, its centre is the endmember without bias; the extreme pixel is not, because noise
    pushed it out. The reach is what noise allows for each pixel's brightness, or more where fewer than 20 pixels
    (or one pixel in 500) would be in it.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels in subspace coordinates ``(dimension, pixels)``.
    E : numpy.ndarray
        Unit directions ``(dimension, endmembers)``.
    noise : float
        Noise of one coordinate.

    Returns
    -------
    numpy.ndarray
        Unit directions ``(dimension, endmembers)``.
    """
    dimension, pixels = X.shape
    norm = np.linalg.norm(X, axis=0)
    D = X / np.maximum(norm, np.finfo(np.float64).tiny)
    allowed = _REACH * noise * np.sqrt(dimension - 1 or 1) / np.maximum(norm, np.finfo(np.float64).tiny)
    fewest = min(max(_FEWEST, pixels // 500), max(pixels // (2 * E.shape[1]), 1))
    out = E.copy()
    for p in range(E.shape[1]):
        e = E[:, p]
        for _ in range(_SHIFTS):
            distance = np.sqrt(np.maximum(2 - 2 * (e @ D), 0))
            relative = distance / allowed if noise > 0 else distance
            nearest = np.partition(relative, fewest - 1)[fewest - 1]
            near = relative <= max(nearest, 1.0 if noise > 0 else 0.0)
            mean = X[:, near].mean(axis=1)  # bright pixels count more: their direction is better known
            e = mean / np.linalg.norm(mean)
        out[:, p] = e
    return out


def physical_lengths(X: np.ndarray, E: np.ndarray, quantile: float) -> np.ndarray:
    """Give unit directions the length of their pure pixels.

    The length is a quantile of ``h_p / (1 - sum over q != p of h_q / length_q)`` over the pixels whose share of
    ``p`` is above 0.9, ``h`` being non-negative coefficients of unit directions. Without the bracket (a pixel's
    rest belongs to other materials) the plain rule is off by the mixing left in such pixels.

    Parameters
    ----------
    X : numpy.ndarray
        Pixels ``(dimension, pixels)``.
    E : numpy.ndarray
        Unit directions ``(dimension, endmembers)``.
    quantile : float
        0 to 1; 0.5 is the median.

    Returns
    -------
    numpy.ndarray
        ``(endmembers,)``, positive.
    """
    count = E.shape[1]
    h = solve_block(np.asarray(X, np.float32), mixing_model(E, "nnls"))[0].astype(np.float64)
    lengths = np.ones(count)
    pure: list[np.ndarray] = [np.empty(0, int)] * count
    for _ in range(10):  # the correction is below 0.1 and contracts by that much each time
        share = h / lengths[:, None]
        share /= np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
        before = lengths.copy()
        for p in range(count):
            fewest = min(_FEWEST, X.shape[1])
            least = min(_PURE, np.partition(share[p], -fewest)[-fewest])
            pure[p] = np.flatnonzero(share[p] >= least)
        for p in range(count):
            others = np.delete(np.arange(count), p)
            rest = (h[np.ix_(others, pure[p])] / before[others, None]).sum(axis=0) if _ else 0.0
            lengths[p] = np.quantile(h[p, pure[p]] / np.maximum(1 - rest, 0.5), quantile)
    return lengths
