"""Where the faces of a simplex really are, told from the noise around them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Edge", "face_edge"]

_BAND = 6.0  # noise standard deviations above the outermost pixels that are looked at: holds both shapes
_FEWEST, _MOST = 50, 2000  # pixels there: less tells nothing, more changes the edge by less than 0.05


class Edge(NamedTuple):
    """The edge of a one-sided distribution that noise has blurred.

    Parameters
    ----------
    at : float
        Where the values begin, in noise standard deviations.
    share : float
        Share of the values near the edge that lie exactly on it, 0 to 1.
    """

    at: float
    share: float


def face_edge(t: np.ndarray) -> Edge:
    """Find where values begin that carry unit noise.

    Pixels near a face either lie in it (a material is absent) or fill the space behind it. Blurred by noise these
    are ``phi(t - c)`` and ``Phi(t - c)``, the normal density and distribution: the edge ``c`` and the share of the
    first are those of largest likelihood, in a band of 6 standard deviations above the lowest 2 % of the values.

    Parameters
    ----------
    t : numpy.ndarray
        Values in noise standard deviations ``(pixels,)``.

    Returns
    -------
    Edge
        ``Edge(0, 0)`` with fewer than 50 values.
    """
    top = float(np.quantile(t, 0.02)) + _BAND
    x = np.sort(t[t < top])
    if x.size < _FEWEST:
        return Edge(0.0, 0.0)
    if x.size > _MOST:
        x = x[np.linspace(0, x.size - 1, _MOST).round().astype(int)]
    coarse = _best_edge(x, top, np.linspace(-4.0, 6.0, 41))
    return _best_edge(x, top, coarse.at + np.linspace(-0.25, 0.25, 11))


def _best_edge(x: np.ndarray, top: float, candidates: np.ndarray) -> Edge:
    from scipy.special import ndtr

    u = x - candidates[:, None]
    room = (top - candidates)[:, None]
    room = np.maximum(room, 1e-3)  # a candidate above the band: its densities vanish anyway
    root = np.sqrt(2 * np.pi)
    on = np.exp(-(u**2) / 2) / root / ndtr(room)
    behind = ndtr(u) / (room * ndtr(room) + np.exp(-(room**2) / 2) / root)
    shares = np.linspace(0, 1, 21)
    likelihood = np.array(
        [np.log(share * on + (1 - share) * behind + 1e-300).mean(axis=1) for share in shares]
    )  # every share with every candidate: in steps the share creeps, and drags the edge with it
    which, best = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    return Edge(float(candidates[best]), float(shares[which]))
