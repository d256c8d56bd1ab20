"""Where the corners of a cloud are: proposals, and the likelihood that judges them against what was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hsgeo.spectra.cone import cone_evidence
from hsgeo.spectra.solvers import nnls
from hsgeo_diffusion.endmember.cloud import Cloud

__all__ = ["Corners", "are_pixels", "better_corners", "evidence"]

_REACH = 2.0  # noise standard deviations: how far from a given corner its pixels are looked for
_PURE = (0.005, 0.02)  # shares of the pixels that make a corner: few where little is pure, many where noise is high
_FEWEST, _MOST = 10, 400  # pixels of a corner
_ROUNDS = 3  # of abundances and corners in turn; a fourth changes little
_DIM = 3.0  # noise standard deviations and
_SHADED = 0.05  # of the median length: darker pixels have no direction to begin with
_STARTS = 6  # of the largest simplex
_SAME = 1e-3  # of the noise: rounding of float32 is less, and no pixel comes so near by chance


class Corners(NamedTuple):
    """What was decided.

    Parameters
    ----------
    c : numpy.ndarray
        ``(K, endmembers)``.
    gain : float
        Evidence of the choice over what was given, nats per pixel; 0 where that was kept.
    moved : bool
        Whether a proposal was better.
    """

    c: np.ndarray
    gain: float
    moved: bool


def better_corners(
    cloud: Cloud, given: np.ndarray, *, margins: tuple[float, float], rng: np.random.Generator
) -> Corners:
    """Look for corners that explain the cloud better than the given ones, and keep these otherwise.

    Proposals: the given corners, moved to the purest pixels near them, abundances and corners in turn; and corners of
    the smoothed cloud itself, by successive projections (Araujo et al. 2001) and by the largest simplex of directions
    (Winter 1999). The judge is `evidence`.

    Parameters
    ----------
    cloud : Cloud
        Of the scene.
    given : numpy.ndarray
        ``(K, endmembers)``.
    margins : tuple of float
        Nats per pixel that a proposal has to be better by than what is held: corners near the given ones, and corners
        of the smoothed cloud itself.
    rng : numpy.random.Generator
        Draws the starts of the largest simplex.

    Returns
    -------
    Corners
        In the order and with the lengths of the given ones.
    """
    count = given.shape[1]
    groups = [[_settled(cloud, given, reach=_REACH, share=_PURE[1])]]
    length = np.linalg.norm(cloud.calm, axis=0)
    bright = np.flatnonzero(length > max(_DIM * np.sqrt(len(given)), _SHADED * float(np.median(length))))
    if 2 <= count <= min(len(given), bright.size):
        seen = cloud.calm[:, bright]
        own: list[np.ndarray] = []
        for start in (_successive(seen, count), _largest(seen, count, rng)):
            own += [_matched(_settled(cloud, start, reach=np.inf, share=share), given) for share in _PURE]
        groups.append(own)
    before = held = evidence(cloud, given)
    chosen = given
    for proposals, margin in zip(groups, margins, strict=False):  # without bright pixels there are none of the cloud
        found = [evidence(cloud, c) for c in proposals]
        best = int(np.argmax(found))
        if found[best] > held + margin:
            held, chosen = found[best], proposals[best]
    return Corners(chosen, float(held - before) if chosen is not given else 0.0, chosen is not given)


def are_pixels(E: np.ndarray, pixels: np.ndarray, noise: np.ndarray) -> bool:
    """Tell whether endmembers are pixels of the scene, projected on a subspace: then they have these pixels' noise.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``.
    pixels : numpy.ndarray
        ``(bands, pixels)``.
    noise : numpy.ndarray
        ``(bands,)`` standard deviation.

    Returns
    -------
    bool
        Whether every one of them lies on a pixel, seen along the plane of the endmembers; false for fewer than two.
    """
    if E.shape[1] < 2:
        return False
    plane = np.linalg.svd(E - E.mean(axis=1, keepdims=True), full_matrices=False)[0][:, : E.shape[1] - 1]
    X, c = plane.T @ pixels, plane.T @ E
    near = [float(np.square(X - c[:, [p]]).sum(axis=0).min()) for p in range(c.shape[1])]
    return bool(max(near) < _SAME**2 * float(np.mean(noise**2)))


def evidence(cloud: Cloud, c: np.ndarray) -> float:
    """Tell how well corners ``(K, endmembers)`` explain a cloud (`hsgeo.spectra.cone.cone_evidence`)."""
    return cone_evidence(cloud.calm, c, variance=cloud.left)


def _settled(cloud: Cloud, start: np.ndarray, *, reach: float, share: float) -> np.ndarray:
    """Move corners to the mean of the purest pixels, within a reach of the start; lengths stay."""
    calm = cloud.calm
    many = int(np.clip(share * calm.shape[1], min(_FEWEST, calm.shape[1]), _MOST))
    c, length = start, np.linalg.norm(start, axis=0)
    for _ in range(_ROUNDS):
        X = nnls(calm.T, c)
        amount = np.maximum(X.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        gram = c.T @ c
        spread = np.sqrt(np.diag(np.linalg.pinv(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))))
        sure = X / amount - spread / np.maximum(amount, 1e-9)  # a share that a faint pixel cannot prove is none
        moved = c.copy()
        for p in range(c.shape[1]):
            purest = np.argpartition(-sure[:, p], many - 1)[:many]
            mean = calm[:, purest].sum(axis=1)
            mean /= max(float(np.linalg.norm(mean)), np.finfo(float).tiny)
            away = mean * (mean @ start[:, p]) - start[:, p]  # nearest point of the mean's ray: lengths mean nothing
            step = min(1.0, reach / max(float(np.linalg.norm(away)), np.finfo(float).tiny))
            to = start[:, p] + step * away
            moved[:, p] = to * (length[p] / max(float(np.linalg.norm(to)), np.finfo(float).tiny))
        c = moved
    return c


def _successive(seen: np.ndarray, count: int) -> np.ndarray:
    """Take the pixels whose directions are farthest from the span of those before."""
    left = seen / np.linalg.norm(seen, axis=0)
    chosen: list[int] = []
    for _ in range(count):
        size = np.einsum("kn,kn->n", left, left)
        chosen.append(int(np.argmax(size)))
        along = left[:, chosen[-1]] / max(float(np.sqrt(size[chosen[-1]])), np.finfo(float).tiny)
        left = left - along[:, None] * (along @ left)
    return seen[:, chosen]


def _largest(seen: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Take the pixels whose directions span the largest volume, exchanging one at a time."""
    unit = seen / np.linalg.norm(seen, axis=0)
    Z = np.linalg.eigh(unit @ unit.T)[1][:, -count:].T @ unit
    best: tuple[float, Sequence[int]] = (-1.0, ())
    for _ in range(_STARTS):
        chosen = [int((direction @ Z).argmax()) for direction in rng.standard_normal((count, count))]
        for _ in range(10):  # rounds; it stops by itself after three or four
            before = list(chosen)
            for p in range(count):
                normal = np.linalg.svd(np.delete(Z[:, chosen], p, axis=1))[0][:, -1]
                height = np.abs(normal @ Z)
                if height.max() > height[chosen[p]] * (1 + 1e-9):
                    chosen[p] = int(height.argmax())
            if chosen == before:
                break
        volume = abs(float(np.linalg.det(Z[:, chosen])))
        if volume > best[0]:
            best = (volume, list(chosen))
    return seen[:, best[1]]


def _matched(c: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Order corners as the given ones, by their angles, and give them their lengths."""
    from scipy.optimize import linear_sum_assignment

    tiny = np.finfo(float).tiny
    unit, length = c / np.maximum(np.linalg.norm(c, axis=0), tiny), np.linalg.norm(given, axis=0)
    to = given / np.maximum(length, tiny)
    return np.asarray(unit[:, linear_sum_assignment(-(to.T @ unit))[1]] * length)
