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


def test_per_endmember_by_hand():
    truth = np.array([[1.0, 0.5], [0.0, 0.5], [0.5, 0.5], [np.nan, 0.0]])
    found = np.array([[0.8, 0.5], [0.2, 0.7], [0.5, 0.3], [0.5, 0.5]])
    assert metrics.mae(found, truth) == pytest.approx(0.8 / 6)
    np.testing.assert_allclose(metrics.bias(found, truth), [0, 0], atol=1e-15)
    first, second = metrics.r2(found, truth)
    assert first == pytest.approx(1 - 0.08 / 0.5)
    assert np.isnan(second)  # its truth is the same everywhere
    np.testing.assert_allclose(metrics.bias(found + 0.1, truth), [0.1, 0.1])


def test_mean_removed_angle_and_rmse_of_endmembers():
    E_true = np.array([[1.0, 0.2], [2.0, 0.4], [3.0, 0.1]])
    E = 2 * E_true + 5  # the mean-removed angle sees neither gain nor offset
    np.testing.assert_allclose(metrics.mrsa(E, E_true), 0, atol=1e-6)
    assert metrics.mrsa(-E_true, E_true) == pytest.approx([100, 100])
    assert metrics.ermse(E_true + np.array([0.1, 0.3]), E_true) == pytest.approx(np.sqrt((0.01 + 0.09) / 2))


def test_left_over_on_either_side():
    A = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    more = metrics.pair(metrics.abundance_cost(np.c_[A[:, 2], A[:, 0], A[:, 1], 0 * A[:, 0] + 9], A))
    assert more.order == (1, 2, 0)
    assert more.spare == (3,)
    fewer = metrics.pair(metrics.abundance_cost(A[:, [2, 0]], A))
    assert fewer.order == (1, None, 0)
    assert np.isnan(fewer.cost[1])
    assert fewer.spare == ()


def test_psnr_and_ssim_known_values():
    i, j = np.mgrid[:20, :30]
    truth = 0.5 + 0.5 * np.sin(0.3 * i + 0.2 * j)
    image = np.clip(truth + 0.1 * np.cos(1.7 * i - 0.9 * j), 0, 1)
    # structural_similarity of scikit-image 0.26, data_range=1, win_size=7
    assert metrics.ssim(image, truth, data_range=1.0) == pytest.approx(0.948007627872043, abs=1e-12)
    assert metrics.ssim(truth, truth, data_range=1.0) == pytest.approx(1)
    assert metrics.psnr(truth + 0.1, truth, data_range=1.0) == pytest.approx(20)
    assert metrics.psnr(truth, truth, data_range=1.0) == np.inf
    hole, wide = truth.copy(), image.copy()
    hole[:, :12] = np.nan  # what is left is the map without those columns
    wide[:, :12] = 0.3
    assert metrics.ssim(wide, hole, data_range=1.0) == pytest.approx(
        metrics.ssim(image[:, 12:], truth[:, 12:], data_range=1.0), abs=1e-12
    )
    assert np.isnan(metrics.ssim(image[:5], truth[:5], data_range=1.0))


def test_uncertainty_of_an_honest_and_a_bold_estimate():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.2, 0.8, (20_000, 2))
    std = rng.uniform(0.01, 0.05, truth.shape)
    found = truth + std * rng.standard_normal(truth.shape)
    np.testing.assert_allclose(metrics.coverage(found, std, truth).T, [metrics.LEVELS] * 2, atol=0.015)
    assert metrics.coverage(found, std / 2, truth, levels=(0.9,)).max() < 0.65
    honest, bold, shy = (metrics.crps(found, std * k, truth).mean() for k in (1, 0.4, 2.5))
    assert honest < bold
    assert honest < shy
    # against its integral definition, for one forecast
    grid = np.linspace(-1, 2, 300_001)
    from scipy.stats import norm

    integral = np.trapezoid((norm.cdf(grid, 0.4, 0.1) - (grid >= 0.55)) ** 2, grid)
    assert metrics.crps([[0.4]], [[0.1]], [[0.55]])[0] == pytest.approx(integral, abs=1e-5)
    assert metrics.crps([[0.4]], [[0.0]], [[0.55]])[0] == pytest.approx(0.15)


def test_sparsification():
    error = np.random.default_rng(2).exponential(0.1, 2000)
    assert metrics.ause(error, 7 * error) == pytest.approx(0)
    blind, wrong = metrics.ause(error, np.ones_like(error)), metrics.ause(error, -error)
    assert 0 < blind < wrong
    assert np.isnan(metrics.ause(0 * error, error))


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.psnr(np.ones((3, 3)), np.ones((3, 4)), data_range=1),
        lambda: metrics.psnr(np.full(3, np.nan), np.ones(3), data_range=1),
        lambda: metrics.ssim(np.ones((9, 9)), np.ones((9, 9)), data_range=1, window=4),
        lambda: metrics.ssim(np.ones((9, 9)), np.ones((9, 9)), data_range=0),
        lambda: metrics.pair(np.array([[0.0, np.nan]])),
        lambda: metrics.coverage(np.ones((3, 2)), np.ones((3, 2)), np.full((3, 2), np.nan)),
        lambda: metrics.ause(np.ones((3, 2)), np.ones((3, 2))),
        lambda: metrics.ermse(np.ones((3, 2)), np.ones((3, 1))),
    ],
)
def test_what_cannot_be_measured_is_said(call):
    with pytest.raises(ConfigError):
        call()
