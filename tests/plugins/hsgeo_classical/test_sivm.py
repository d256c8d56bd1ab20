"""Greedy extractors against their definitions, spelled out."""

from math import factorial

import numpy as np
import pytest
from hsgeo_classical.config import AtgpOptions, SivmOptions
from hsgeo_classical.extraction.atgp import Atgp, orthogonal_targets
from hsgeo_classical.extraction.sivm import Sivm, farthest_simplex

from hsgeo.spectra.metrics import match, msad


def cayley_menger(X, corners):
    """Squared volume of a simplex from the distances between its corners."""
    D = np.square(X[:, corners][:, :, None] - X[:, corners][:, None, :]).sum(axis=0)
    bordered = np.block([[np.zeros((1, 1)), np.ones((1, len(corners)))], [np.ones((len(corners), 1)), D]])
    n = len(corners) - 1
    return (-1) ** (n + 1) / (2**n * factorial(n) ** 2) * np.linalg.det(bordered)


@pytest.mark.parametrize("seed", range(5))
def test_sivm_adds_the_most_volume(seed):
    X = np.random.default_rng(seed).standard_normal((5, 60))
    corners = [int(np.linalg.norm(X - X.mean(axis=1, keepdims=True), axis=0).argmax())]
    for _ in range(5):
        corners.append(int(np.argmax([cayley_menger(X, [*corners, pixel]) for pixel in range(60)])))
    assert farthest_simplex(X, 6).tolist() == corners


@pytest.mark.parametrize("seed", range(5))
def test_atgp_takes_the_longest_residual(seed):
    Y = np.random.default_rng(seed).random((12, 80))
    targets = [int(np.linalg.norm(Y, axis=0).argmax())]
    for _ in range(5):
        U = Y[:, targets]
        P = np.eye(12) - U @ np.linalg.pinv(U)
        targets.append(int(np.linalg.norm(P @ Y, axis=0).argmax()))
    assert orthogonal_targets(Y, 6).tolist() == targets


def test_atgp_takes_no_pixel_twice():
    Y = np.repeat(np.random.default_rng(0).random((12, 4)), 5, axis=1)  # four spectra: two targets too few
    assert len(set(orthogonal_targets(Y, 6).tolist())) == 6


def test_pure_pixels_are_found_again(landscape, ctx):
    scene = landscape(5, 40.0)
    for made, limit in ((Sivm(SivmOptions(count=5)), 0.02), (Atgp(AtgpOptions(count=5)), 0.1)):
        E = made.fit(scene.sample, ctx)["endmembers"].values.T.astype(float)
        assert msad(E[:, match(E, scene.E).order], scene.E) < limit
