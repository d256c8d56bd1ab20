"""The stage ``stability``: as many endmembers as two halves of the scene agree on."""

from __future__ import annotations

import numpy as np

from hsgeo.spectra.metrics import match, sad_matrix
from hsgeo.spectra.noise import moments, noise_floor, noise_std
from hsgeo_classical.counting.stage import CountingStage
from hsgeo_classical.extraction.nfindr import largest_of_restarts
from hsgeo_classical.extraction.vertices import soft_length
from hsgeo_classical.sample import keyed_order

__all__ = ["Stability", "count_by_stability"]

_PIXELS = 6000  # both halves together: more make the answer slower, not steadier
_CANDIDATES = 1000  # pixels of a half whose means may be corners
_SHARE, _FEWEST = 0.01, 20  # share of a half in a mean, and pixels at least: noise is below a quarter of one pixel's
_STARTS = 10  # of the largest simplex
_SPLITS = 3  # independent halvings
_AGREE = 0.1  # radians; materials whose spectra differ by less are one (0.02 to 0.06 within a class)
_NEAREST = 0.3  # of the angle to the nearest other endmember: corners in one cloud are no two materials
_PATIENCE = 3  # counts without agreement after which larger ones are not tried
_DARK, _SHADED = 5.0, 0.05  # as in `archetypes`: darker pixels have no direction worth the name


class Stability(CountingStage):
    """Count endmembers as the largest number that halves of the scene agree on; see `count_by_stability`.

    Parameters
    ----------
    options : CountingOptions
        The largest count.
    """

    def find(self, Y: np.ndarray) -> tuple[int, np.ndarray]:
        """Count in pixels ``(pixels, bands)``."""
        return count_by_stability(Y.T, most=min(self.options.most, 16)), noise_std(Y)


def count_by_stability(Y: np.ndarray, *, most: int = 14) -> int:
    """Count endmembers by whether they are found again.

    For every number, the largest simplex of means of neighbouring directions is taken in two disjoint halves of the
    pixels, and its corners are matched. The answer is the largest number for which every corner has its like within
    0.1 rad in the other half, in the median of three halvings. Noise and variability fill dimensions, but give no
    endmember that is found twice.

    Parameters
    ----------
    Y : numpy.ndarray
        Complete pixels ``(bands, pixels)``.
    most : int
        Largest number tried.

    Returns
    -------
    int
        At least 1.
    """
    bands, pixels = Y.shape
    noise = noise_floor(Y.T)
    norm = np.linalg.norm(Y, axis=0).astype(np.float64)
    dark = max(_DARK * noise * np.sqrt(bands), _SHADED * float(np.median(norm)))
    D = Y / soft_length(Y, dark)
    position = np.arange(pixels, dtype=np.uint64)
    halves = []
    for split in range(_SPLITS):
        order = keyed_order(position, split)[:_PIXELS]
        halves.append([_Half(D[:, np.sort(order[part::2])]) for part in (0, 1)])
    best, missed = 1, 0
    for count in range(2, min(most, bands, pixels // (4 * _FEWEST)) + 1):
        along = np.random.default_rng(count).standard_normal((_STARTS, count, bands))
        apart = [_apart(one.corners(count, along), other.corners(count, along)) for one, other in halves]
        if np.median(apart) <= 1:
            best, missed = count, 0
        else:
            missed += 1
            if missed == _PATIENCE and best > 1:
                break
    return best


def _apart(E: np.ndarray, other: np.ndarray) -> float:
    """Largest angle between endmembers and their likes, in units of what is allowed."""
    between = sad_matrix(E, E) + np.pi * np.eye(E.shape[1])
    pairs = match(other, E)
    return float((pairs.cost / np.minimum(_AGREE, _NEAREST * between.min(axis=0))).max())


class _Half:
    """Directions of half of the pixels, and the axes in which they are looked at."""

    def __init__(self, D: np.ndarray) -> None:
        _, mean, second = moments(D.T)
        self.D, self.mean = D, mean[:, None]
        self.axes = np.linalg.eigh(second - np.outer(mean, mean))[1][:, ::-1]

    def corners(self, count: int, along: np.ndarray) -> np.ndarray:
        """Return the corners ``(bands, count)`` of the largest simplex of means."""
        from scipy.spatial import cKDTree

        axes = self.axes[:, : count - 1]
        Z = axes.T @ (self.D - self.mean)
        near = min(max(_FEWEST, int(_SHARE * Z.shape[1])), Z.shape[1])
        which = np.unique(np.concatenate([np.arange(min(_CANDIDATES, Z.shape[1])), *np.argsort(Z, axis=1)[:, [0, -1]]]))
        index = cKDTree(Z.T).query(Z[:, which].T, k=near)[1].reshape(len(which), near)
        means = Z[:, index].mean(axis=2)
        corners = largest_of_restarts(means, along @ axes)
        return np.asarray(axes @ means[:, corners] + self.mean)
