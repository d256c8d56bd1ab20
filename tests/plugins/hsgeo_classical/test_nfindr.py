"""N-FINDR: the largest simplex of all, where all can be tried."""

from itertools import combinations

import numpy as np
import pytest
from hsgeo_classical.config import NfindrOptions
from hsgeo_classical.extraction.nfindr import Nfindr, largest_of_restarts
from hsgeo_classical.extraction.sivm import farthest_simplex

from hsgeo.spectra.metrics import match, msad


def volume(X, corners):
    return abs(np.linalg.det(np.vstack([X[:, list(corners)], np.ones(len(corners))])))


def directions(count, starts=30, seed=0):
    return np.random.default_rng(seed).standard_normal((starts, count, count - 1))


@pytest.mark.parametrize(("count", "pixels"), [(3, 25), (4, 18), (5, 14)])
def test_no_subset_is_larger(count, pixels):
    for seed in range(10):
        X = np.random.default_rng(seed).standard_normal((count - 1, pixels))
        largest = max(volume(X, subset) for subset in combinations(range(pixels), count))
        assert volume(X, largest_of_restarts(X, directions(count))) == pytest.approx(largest, rel=1e-9)


def test_never_below_the_greedy_simplex_nor_after_more_starts():
    for seed in range(5):
        X = np.random.default_rng(seed).dirichlet(np.ones(7), 2000).T[:-1] * np.arange(1, 7)[:, None]
        scaled = X / np.sqrt(np.square(X).mean(axis=1, keepdims=True))
        greedy = volume(X, farthest_simplex(scaled, 7))
        along = directions(7, 6, seed)
        found = [volume(X, largest_of_restarts(X, along[:starts])) for starts in (1, 3, 6)]
        assert greedy <= found[0] * (1 + 1e-9)
        assert found == sorted(found)


def test_few_distinct_pixels_are_no_trap():
    """Corners drawn by chance would span no volume here, and no single exchange would help."""
    rng = np.random.default_rng(0)
    X = np.repeat(np.hstack([np.zeros((4, 200)), np.eye(4), rng.dirichlet(np.ones(5), 3).T[:-1]]), 3, axis=1)
    corners = largest_of_restarts(X, directions(5))
    assert volume(X, corners) == pytest.approx(1)  # the unit simplex: the origin and the four unit vectors


def test_pure_pixels_are_found_again(landscape, ctx):
    scene = landscape(6, 40.0)
    E = Nfindr(NfindrOptions(count=6)).fit(scene.sample, ctx)["endmembers"].values.T.astype(float)
    assert msad(E[:, match(E, scene.E).order], scene.E) < 0.02
