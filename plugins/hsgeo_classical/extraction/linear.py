"""Scenes that a simplex explains to the noise: its corners, be they pixels or not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsgeo.plugin import SceneError
from hsgeo.spectra.noise import noise_std
from hsgeo.spectra.solvers import mixing_model, solve_block
from hsgeo_classical.extraction.purest import affine_coordinates, largest_simplex
from hsgeo_classical.extraction.smallest import snug_simplex
from hsgeo_classical.extraction.smoothing import smooth
from hsgeo_classical.extraction.stage import Reduced, reduce_affine
from hsgeo_classical.extraction.vertices import refine_corners
from hsgeo_classical.sample import Pixels, keyed_order, positions

__all__ = ["Coordinates", "linear_corners"]

_LINEAR = 1.2  # mean squared residual per dimension, in noise variances, up to which the linear model is exact
_EXACT = 1e-3  # relative rms residual below which nobody will ask for another model, however low the noise
_LEAST_NOISE = 1e-4  # of the rms: a scene without noise is judged as if at 80 dB, or rounding would decide
_TRIM = 0.15  # pixels a linear scene may hold that it does not explain: thin cloud that passed the screen
_AROUND = 20_000  # pixels among which company is looked for
_COMPANY, _COMPANY_SHARE = 5, 1e-3  # as many neighbours, or as large a share, make a pixel one of a material
_COMPANY_REACH = 1.5  # noise norms: two pixels of one material are 1.4 apart on average
_TIED = 0.01  # of the exact mean square: where there is no noise many simplexes fit so well, and the largest is taken
_OUTSIDE = 4.0  # noise standard deviations (of a smoothed pixel) that put a pixel outside a simplex
_CALM = 4.0  # neighbours that make a smoothed pixel worth asking: faults and edges have none
_LEFT_OUT = 0.02  # share of pixels outside from which corners that are pixels are given up; Sim1-like grounds: 0.09
_REACHED = 0.3  # abundance that 20 pixels must reach of every corner, and
_BELOW = 3.0  # noise standard deviations by which its spectrum may be negative: else it is no material, but an escape
_OFF_PLANE = 1.2  # mean square across the simplex's plane, in noise variances, that gives per-pixel brightness away
_BEGINNINGS = 4  # of the smallest simplex: one of them alone ends in a larger one in a scene out of three
_STARTS = 64  # of the largest simplex; its optima are few
_FITTED = 20_000  # pixels the smallest simplex is fitted to: its faces then move by less than their noise


class Coordinates(NamedTuple):
    """Pixels in the subspace of their signal.

    Parameters
    ----------
    basis : numpy.ndarray
        Orthonormal ``(bands, dimension)``.
    X : numpy.ndarray
        ``(dimension, pixels)``.
    core : numpy.ndarray
        Indices of pixels drawn by position and of the farthest ones.
    noise : float
        Noise of one coordinate, units of the data.
    """

    basis: np.ndarray
    X: np.ndarray
    core: np.ndarray
    noise: float


def linear_corners(
    pixels: Pixels, seen: Coordinates, count: int, rng: np.random.Generator, *, seed: int
) -> np.ndarray | None:
    """Find the corners of the simplex that explains the pixels to the noise, where there is one.

    Two hypotheses. Corners that are pixels: the largest simplexes (`largest_simplex`) of pixels with company, moved to
    the middle of the pixels noise cannot tell from them (`refine_corners`). And corners that no pixel reaches: the
    smallest simplex (`snug_simplex`) around the pixels, freed of noise by their neighbours (`smooth`). The first is
    the safer answer, and kept unless 2 % of the smoothed pixels, whose noise is small, lie outside of it.

    Parameters
    ----------
    pixels : Pixels
        From `pixels_of`.
    seen : Coordinates
        The pixels in a subspace of more dimensions than the simplex has.
    count : int
        Corners, at least 2.
    rng : numpy.random.Generator
        Draws the starts.
    seed : int
        Draws pixels by position.

    Returns
    -------
    numpy.ndarray or None
        ``(bands, count)``; None: no simplex explains the pixels.
    """
    basis, X, core, noise = seen
    noise = max(noise, _LEAST_NOISE * float(np.sqrt(np.mean(X**2))))
    exact = _EXACT**2 * float(np.mean(X**2))
    bound = max(_LINEAR * noise**2, exact)
    dense = core[_dense(X, X[:, core], keyed_order(pixels.key, seed)[:_AROUND], noise)]
    corners = _largest_simplexes(X, pixels.Y, dense if dense.size >= 2 * count else core, count, rng, noise)
    fits = np.array([_mean_square(X[:, core], C) for C in corners])
    first = int(np.flatnonzero(fits <= fits.min() + _TIED * exact)[0])
    purest = basis @ corners[first]
    others = [basis @ C for index, C in enumerate(corners) if index != first]
    smallest = _smallest(pixels, count, [purest, *others[: _BEGINNINGS - 1]])
    if smallest is None or smallest.outside(purest) <= max(_LEFT_OUT, 2 * smallest.outside(smallest.E)):
        return purest if fits[first] <= bound else None
    if not _material(smallest.E, X, basis, noise):
        return None
    return smallest.E if _mean_square(X[:, core], basis.T @ smallest.E) <= bound else None


def _material(E: np.ndarray, X: np.ndarray, basis: np.ndarray, noise: float) -> bool:
    """Tell whether corners that no pixel reaches can be spectra of something that is there."""
    A = np.sort(solve_block(X.astype(np.float32), mixing_model(basis.T @ E, "fcls"))[0], axis=1)
    return bool(E.min() > -_BELOW * noise and A[:, -min(20, A.shape[1])].min() >= _REACHED)


class _Smallest(NamedTuple):
    """The smallest simplex, and the smoothed pixels in noise units that can judge any other.

    Parameters
    ----------
    E : numpy.ndarray
        Its corners ``(bands, count)``.
    reduced : Reduced
        The flat in which it lies.
    half : numpy.ndarray
        Cholesky factor of the noise there.
    X, weight : numpy.ndarray
        Smoothed pixels ``(count - 1, pixels)``, whitened, and how many stand behind each.
    """

    E: np.ndarray
    reduced: Reduced
    half: np.ndarray
    X: np.ndarray
    weight: np.ndarray

    def outside(self, E: np.ndarray) -> float:
        """Share of pixels that lie outside a simplex by more than the noise that smoothing has left in them."""
        corners = np.linalg.solve(self.half, self.reduced.basis.T @ (E - self.reduced.mean))
        rmse = solve_block(self.X.astype(np.float32), mixing_model(corners, "fcls"))[1].astype(np.float64)
        far = rmse**2 * len(self.X) * self.weight > _OUTSIDE**2
        return float((far & (self.weight > _CALM)).mean())


def _smallest(pixels: Pixels, count: int, starts: list[np.ndarray]) -> _Smallest | None:
    try:
        reduced = reduce_affine(pixels.Y, count)
    except SceneError:  # the pixels span no simplex with so many corners
        return None
    directions = np.hstack([reduced.basis, _across(pixels.Y, reduced)])
    X = directions.T @ (pixels.Y - reduced.mean)
    least = _LEAST_NOISE**2 * float(np.mean(reduced.X**2))
    noise = (directions.T * noise_std(pixels.Y.T) ** 2) @ directions + least * np.eye(len(X))
    row, col = positions(pixels.key)
    calm = smooth(X, row, col, noise=noise)
    some = np.sort(keyed_order(pixels.key, 0)[:_FITTED])
    squares = np.sort((calm.X[count - 1 :, some] ** 2).sum(axis=0) * calm.weight[some]) / noise[-1, -1]
    if squares[: int(np.ceil((1 - _TRIM) * squares.size))].mean() > _OFF_PLANE:
        return None
    inside, flat = calm.X[: count - 1, some], noise[: count - 1, : count - 1]
    half = np.linalg.cholesky(flat)
    seen = _Smallest(starts[0], reduced, half, np.linalg.solve(half, inside), calm.weight[some])
    if seen.outside(starts[0]) <= _LEFT_OUT:  # the simplex of pixels holds them all: nothing to look for
        return seen
    calmed = flat / float(np.median(calm.weight))
    found = [snug_simplex(inside, reduced.basis.T @ (start - reduced.mean), noise=calmed) for start in starts]
    sizes = [_log_volume(simplex.corners) if simplex.converged else np.inf for simplex in found]
    if not np.isfinite(min(sizes)):
        return None
    return seen._replace(E=reduced.spectra(found[int(np.argmin(sizes))].corners))


def _log_volume(corners: np.ndarray) -> float:
    """Logarithm of the volume of a simplex, up to a constant."""
    return float(np.linalg.slogdet(corners[:, 1:] - corners[:, :1])[1])


def _across(Y: np.ndarray, reduced: Reduced) -> np.ndarray:
    """Return the strongest direction that leaves the simplex's plane ``(bands, 1)``; none where no pixel does."""
    try:
        basis = reduce_affine(Y, len(reduced.X) + 2).basis
    except SceneError:
        return np.empty((len(Y), 0))
    left = np.linalg.svd(basis.T @ reduced.basis)[0][:, -1:]
    return np.asarray(basis @ left)


def _dense(X: np.ndarray, points: np.ndarray, around: np.ndarray, noise: float) -> np.ndarray:
    """Tell which points have company within the noise: pure materials do, haze, glint and faults do not."""
    others = X[:, around].astype(np.float64)
    reach = (_COMPANY_REACH * noise) ** 2 * X.shape[0]
    least = max(_COMPANY, _COMPANY_SHARE * around.size)
    squares = np.einsum("dn,dn->n", others, others)
    mask = np.zeros(points.shape[1], bool)
    for start in range(0, points.shape[1], 256):  # 256 x 20,000 distances at a time: 40 MB
        P = points[:, start : start + 256].astype(np.float64)
        distance = squares - 2 * (P.T @ others) + np.einsum("dn,dn->n", P, P)[:, None]
        mask[start : start + 256] = (distance <= reach).sum(axis=1) >= least
    return mask


def _largest_simplexes(
    X: np.ndarray, Y: np.ndarray, core: np.ndarray, count: int, rng: np.random.Generator, noise: float
) -> list[np.ndarray]:
    Z, basis = affine_coordinates(Y, count)
    Z = Z[:, core]
    found: dict[tuple[int, ...], np.ndarray] = {}
    for _ in range(_STARTS):
        # drawn over the bands: the signs of eigenvectors, which may flip between samples, must not matter
        along = rng.standard_normal((count, basis.shape[0])) @ basis
        corners = largest_simplex(Z, np.array([int((g @ Z[:-1]).argmax()) for g in along]))
        found.setdefault(tuple(sorted(corners.tolist())), corners)
    largest = sorted(found, key=lambda c: (-abs(np.linalg.det(Z[:, list(c)])), c))
    return [refine_corners(X, X[:, core[found[c]]], noise) for c in largest]


def _mean_square(X: np.ndarray, E: np.ndarray) -> float:
    rmse = solve_block(X.astype(np.float32), mixing_model(E, "fcls"))[1].astype(np.float64)
    return float(np.mean(np.sort(rmse**2)[: int(np.ceil((1 - _TRIM) * rmse.size))]))
