"""Metrics with known values."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra import metrics


def test_abundance_metrics_by_hand():
    truth = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    found = np.array([[0.7, 0.3], [0.0, 1.0], [0.5, 0.5]])
    assert metrics.armse(found, truth) == pytest.approx(np.sqrt(0.18 / 4))
    assert metrics.mrmse(found, truth) == pytest.approx(np.sqrt(0.09 / 2))
    assert metrics.pixel_rmse(found, truth) == pytest.approx(0.15)
    assert metrics.sre(found, truth) == pytest.approx(20 * np.log10(np.sqrt(2 / 0.18)))


def test_angles_are_exact_even_when_tiny():
    angle = np.array([1e-9, 0.5, np.pi / 2])
    E = np.stack([np.cos(angle), np.sin(angle)])
    truth = np.tile([[3.0], [0.0]], 3)
    np.testing.assert_allclose(metrics.sad(E, truth), angle, rtol=1e-6)
    assert metrics.sad_matrix(np.zeros((2, 1)), truth)[0, 0] == pytest.approx(np.pi / 2)


def test_matching_is_one_to_one():
    # greedy matching gives both estimates to the first truth; the best assignment does not
    E = np.array([[1.0, 1.0], [0.1, 0.3]])
    truth = np.array([[1.0, 1.0], [0.0, 0.12]])
    found = metrics.match(E, truth)
    assert found.order.tolist() == [0, 1]
    shuffled = metrics.match(np.c_[E[:, ::-1], [5.0, -3.0]], truth)
    assert shuffled.order.tolist() == [1, 0]
    A = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    order = np.array([2, 0, 3, 1])
    assert metrics.match_abundances(A[:, order], A).order.tolist() == np.argsort(order).tolist()


def test_reconstruction():
    E = np.eye(3)
    A = np.array([[0.5, 0.5, 0.0]])
    assert metrics.re_rmse(np.array([[0.5, 0.5, 0.3]]), A, E) == pytest.approx(np.sqrt(0.03))
    assert metrics.re_sam(np.array([[1.0, 1.0, 0.0]]), A, E) == pytest.approx(0, abs=1e-9)


def test_shapes_that_do_not_fit():
    with pytest.raises(ConfigError):
        metrics.armse(np.ones((3, 2)), np.ones((3, 3)))
    with pytest.raises(ConfigError):
        metrics.match(np.ones((3, 1)), np.eye(3))
