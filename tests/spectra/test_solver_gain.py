"""Unmixing with a gain per pixel: brightness and composition come apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import nnls, scls, split_gain


def problem(seed, count=4, pixels=50):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.02, 0.8, (30, count))
    A = rng.dirichlet(np.ones(count), pixels)
    gain = rng.uniform(0.1, 2, pixels)
    return (gain[:, None] * A @ E.T).astype(np.float32), E, A, gain


def test_composition_and_brightness_are_found():
    Y, E, A, gain = problem(0)
    found, s = scls(Y, E)
    np.testing.assert_allclose(found, A, atol=2e-5)
    np.testing.assert_allclose(s, gain, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_a_factor_on_the_data_is_the_gain_alone(seed, factor):
    Y, E, *_ = problem(seed, pixels=10)
    Y += np.random.default_rng(seed).normal(0, 0.05, Y.shape).astype(np.float32)
    (A, s), (B, t) = scls(Y, E), scls((Y * np.float32(factor)).astype(np.float32), E)
    np.testing.assert_allclose(A, B, atol=1e-4)
    np.testing.assert_allclose(np.float32(factor) * s, t, rtol=1e-4)


def test_the_fit_is_that_of_nnls():
    Y, E, *_ = problem(1)
    A, s = scls(Y, E)
    np.testing.assert_allclose(A * s[:, None], nnls(Y, E), atol=1e-6)
    np.testing.assert_allclose(A.sum(axis=1, dtype=float), 1, atol=1e-6)


def test_a_black_pixel_has_no_composition():
    Y, E, *_ = problem(2)
    Y[3], Y[5], Y[7] = 0, -0.1, np.nan
    A, s = scls(Y, E)
    assert np.isnan(A[[3, 5, 7]]).all()
    assert s[[3, 5]].tolist() == [0, 0]
    assert np.isnan(s[7])
    assert np.isfinite(np.delete(A, [3, 5, 7], axis=0)).all()


def test_amounts_need_endmembers():
    for shape in ((3,), (0, 5)):
        with pytest.raises(ConfigError, match="endmember"):
            split_gain(np.zeros(shape))


@pytest.mark.parametrize(
    ("scene", "which", "error"),
    [("samson", "_classic", 0.0020), ("jasper_ridge", "", 0.0049)],
    ids=["samson", "jasper"],
)
def test_it_is_how_the_classic_truths_were_made(data_dir, scene, which, error):
    found = np.load(data_dir / "unmixing" / f"{scene}.npz")
    Y, E = found["image"].reshape(-1, found["image"].shape[2]), found[f"endmembers{which}"]
    A, _ = scls(Y, E / E.max(axis=0))
    truth = found[f"abundances{which}"].reshape(A.shape)
    assert np.sqrt(np.mean((A - truth) ** 2)) == pytest.approx(error, abs=1e-4)
