"""Few samples state quantiles, intervals and scores without bias."""

import numpy as np
import pytest
from scipy.stats import norm

from hsgeo.errors import ConfigError
from hsgeo.spectra import metrics


def test_quantiles_are_those_of_numpys_weibull():
    draws = np.random.default_rng(0).standard_normal((16, 5, 3))
    for level in (0, 0.05, 0.1, 0.5, 0.77, 0.95, 1):
        np.testing.assert_allclose(
            metrics.sample_quantile(draws, level), np.quantile(draws, level, axis=0, method="weibull"), atol=1e-12
        )


@pytest.mark.parametrize(("count", "reached"), [(39, (0.5, 0.8, 0.9, 0.95)), (16, (0.5, 0.8, 15 / 17, 15 / 17))])
def test_intervals_of_few_draws_cover_further_draws_as_they_say(count, reached):
    rng = np.random.default_rng(1)
    mean, std = rng.uniform(0, 1, (40_000, 1)), rng.uniform(0.01, 0.2, (40_000, 1))
    truth = mean + std * rng.standard_normal(mean.shape)
    draws = mean + std * rng.standard_normal((count, *mean.shape))
    for level, expected in zip(metrics.LEVELS, reached, strict=True):
        low, high = metrics.sample_interval(draws, level)
        tolerance = 0.008 if count == 39 else 0.02
        assert metrics.interval_coverage(low, high, truth)[0] == pytest.approx(expected, abs=tolerance)
    # half the spread covers 2 Phi(z / 2) - 1
    low, high = metrics.sample_interval(mean + (draws - mean) / 2, 0.5)
    half = 2 * norm.cdf(norm.ppf(0.75) / 2) - 1
    assert metrics.interval_coverage(low, high, truth)[0] == pytest.approx(half, abs=0.02)
    assert metrics.interval_width(low, high)[0] == pytest.approx(np.mean(std) * norm.ppf(0.75), rel=0.08)


def test_a_fair_score_does_not_depend_on_the_number_of_samples():
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((60_000, 2)) * [0.1, 0.3]
    exact = metrics.crps(np.zeros_like(truth), np.broadcast_to([0.1, 0.3], truth.shape), truth)
    for count in (2, 5, 12):
        draws = rng.standard_normal((count, *truth.shape)) * [0.1, 0.3]
        np.testing.assert_allclose(metrics.crps_samples(draws, truth), exact, rtol=0.02)
        assert (metrics.crps_samples(draws, truth, fair=False) > 1.03 * exact).all()
    np.testing.assert_allclose(
        metrics.crps_samples(draws[:, :7], truth[:7], fair=False),
        [np.mean([_energy(draws[:, i, q], truth[i, q]) for i in range(7)]) for q in (0, 1)],
    )
    np.testing.assert_allclose(metrics.crps_samples(truth[None] + 0.2, truth), 0.2)


def _energy(draws, truth):
    """The definition, pair by pair."""
    return np.abs(draws - truth).mean() - np.abs(draws[:, None] - draws).mean() / 2


def test_points_and_holes():
    zeros = np.zeros((8, 3, 2))
    low, high = metrics.sample_interval(zeros, 0.9)
    assert metrics.interval_coverage(low, high, np.zeros((3, 2))).tolist() == [1, 1]
    zeros[2, 1, 0] = np.nan
    assert np.isnan(metrics.sample_quantile(zeros, 0.5)[1, 0])
    assert metrics.crps_samples(zeros, np.full((3, 2), 0.1)).tolist() == pytest.approx([0.1, 0.1])


def test_curves_of_a_perfect_and_a_blind_ranking():
    error = np.random.default_rng(3).exponential(0.1, 2000)
    stated, best = metrics.sparsification(error, error)
    np.testing.assert_array_equal(stated, best)
    assert stated[0] == pytest.approx(1)
    assert (np.diff(best) < 0).all()
    blind = metrics.sparsification(error, np.ones_like(error))[0]
    assert blind.mean() == pytest.approx(1, abs=0.15)
    assert metrics.ause(error, np.ones_like(error)) == pytest.approx(np.mean(blind - best))


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.sample_quantile(np.zeros((0, 3)), 0.5),
        lambda: metrics.sample_interval(np.zeros((4, 3)), 90),
        lambda: metrics.crps_samples(np.zeros((4, 3, 2)), np.zeros((3, 3))),
        lambda: metrics.crps_samples(np.full((4, 3, 2), np.nan), np.zeros((3, 2))),
        lambda: metrics.interval_width(np.zeros((3, 2)), np.zeros((2, 2))),
    ],
)
def test_what_cannot_be_measured_is_said(call):
    with pytest.raises(ConfigError):
        call()
