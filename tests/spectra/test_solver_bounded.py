"""Bounded least squares against scipy, and in every corner case."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import bounded_kernels, bounded_model, bvls, nnls, residual_rmse, solve_bounded_block, ucls


def problem(seed, bands=30, count=5, pixels=40, noise=0.05):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.02, 0.8, (bands, count))
    A = rng.dirichlet(np.full(count, 0.4), pixels)
    return A @ E.T + rng.normal(0, noise, (pixels, bands)), E


def kkt_residual(Y, E, A, lower, upper):
    """Largest violation of the optimality conditions, relative to max |E^T Y|."""
    gradient = (A @ E.T - Y) @ E
    inside = (lower < A) & (upper > A)
    wrong = np.where(inside, np.abs(gradient), np.where(lower >= A, -gradient, gradient))
    return wrong.max() / np.abs(Y @ E).max()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 20),
    st.sampled_from([(0.0, 1.0), (0.0, 0.2), (-0.3, 0.4), (-np.inf, 0.1), (0.05, np.inf)]),
)
def test_agrees_with_scipy(seed, count, bounds):
    Y, E = problem(seed, count=count, pixels=8)
    reference = np.array([lsq_linear(E, y, bounds, method="bvls", tol=1e-15, max_iter=1000).x for y in Y])
    np.testing.assert_allclose(bvls(Y, E, lower=bounds[0], upper=bounds[1]), reference, atol=1e-6)


def test_bounds_of_their_own_for_each_endmember():
    Y, E = problem(1)
    lower, upper = np.array([0, -0.1, 0.2, 0, -np.inf]), np.array([0.3, 0.1, 0.2, np.inf, 0.5])
    A = bvls(Y, E, lower=lower, upper=upper)
    assert (A[:, 2] == 0.2).all()
    rest = np.array([0, 1, 3, 4])
    reference = [
        lsq_linear(E[:, rest], y - 0.2 * E[:, 2], (lower[rest], upper[rest]), method="bvls", tol=1e-15).x for y in Y
    ]
    np.testing.assert_allclose(A[:, rest], reference, atol=1e-6)


def test_its_special_cases_are_the_other_solvers():
    Y, E = problem(2)
    Y = Y.astype(np.float32)
    np.testing.assert_allclose(bvls(Y, E, upper=np.inf), nnls(Y, E), atol=1e-6)
    np.testing.assert_allclose(bvls(Y, E, lower=-np.inf, upper=np.inf), ucls(Y, E), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("what", "E"),
    [
        ("duplicates", np.repeat(problem(4, count=3)[1], 2, axis=1)),
        ("collinear", np.c_[problem(4, count=3)[1], problem(4, count=3)[1] @ [[0.5], [0.5], [0.0]]]),
        ("more endmembers than bands", problem(4, bands=30, count=40)[1]),
        ("64 endmembers", problem(4, bands=80, count=64)[1]),
        ("a zero spectrum", np.c_[problem(4, count=3)[1], np.zeros(30)]),
    ],
)
def test_degenerate_endmembers_have_an_optimal_answer(what, E, dtype):
    Y = (problem(4, bands=len(E))[0] * 0.8).astype(dtype)
    A = bvls(Y, E, upper=0.3)
    assert A.dtype == dtype
    assert A.min() >= 0
    assert A.max() <= dtype(0.3)
    assert kkt_residual(Y.astype(float), E, A.astype(float), 0, float(dtype(0.3))) <= (1e-6 if dtype is float else 1e-4)
    if what == "duplicates":
        np.testing.assert_allclose(A[:, ::2], A[:, 1::2], atol=1e-5)


def test_the_method_behind_block_pivoting_finds_the_same():
    Y, E = problem(5, count=12)
    model = bounded_model(E, lower=-0.05, upper=0.3)
    found = bvls(Y, E, lower=-0.05, upper=0.3)
    for y, a in zip(Y, found, strict=True):
        x, rest = np.empty(12), (np.empty(12, np.int64), np.empty(12, np.int64), np.empty(12))
        room = np.empty((8, 12, 12)), np.zeros(8, np.uint64)
        bounds = model.lower * model.scale, model.upper * model.scale
        bounded_kernels._primal(model.H, model.D.T @ y, *bounds, *room, x, *rest, 1e-10)
        np.testing.assert_allclose(x / model.scale, a, atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 300))
def test_a_pixel_does_not_see_its_neighbours(seed, shift):
    Y, E = problem(seed, bands=17, count=4, pixels=40, noise=0.3)
    rng = np.random.default_rng(seed)
    Y[rng.random(Y.shape) < 0.02] = np.nan
    Y = Y.astype(np.float32)
    model = bounded_model(E, upper=0.5)
    A, rmse = solve_bounded_block(Y.T, model)
    crowd = rng.uniform(-1, 2, (17, shift + 40)).astype(np.float32)
    crowd[:, rng.random(shift + 40) < 0.3] = np.nan
    crowd[:, shift:] = Y.T
    B, other = solve_bounded_block(crowd, model)
    assert A.tobytes() == np.ascontiguousarray(B[:, shift:]).tobytes()
    assert rmse.tobytes() == other[shift:].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_bands_are_left_out(value):
    Y, E = problem(6)
    holes = Y.copy()
    holes[:, [3, 11]] = value
    holes[7] = np.nan
    keep, others = np.delete(np.arange(30), [3, 11]), np.delete(np.arange(40), 7)
    A, rmse = solve_bounded_block(holes.T, bounded_model(E))
    B, other = solve_bounded_block(Y[:, keep].T, bounded_model(E[keep]))
    np.testing.assert_allclose(A[:, others], B[:, others], atol=1e-8)
    np.testing.assert_allclose(rmse[others], other[others], rtol=1e-8)
    assert np.isnan(A[:, 7]).all()
    assert np.isnan(rmse[7])


def test_the_residual_is_that_of_the_valid_bands():
    Y, E = problem(7)
    A = bvls(Y, E)
    np.testing.assert_allclose(residual_rmse(Y.T, E, A.T), np.sqrt(np.mean((Y - A @ E.T) ** 2, axis=1)), rtol=1e-12)


def test_a_black_pixel_has_nothing():
    assert (bvls(np.zeros((1, 30)), problem(8)[1]) == 0).all()


@pytest.mark.parametrize(
    "bounds",
    [{"lower": 1.0, "upper": 0.0}, {"lower": np.nan}, {"upper": [1.0, 1.0]}, {"lower": np.inf, "upper": np.inf}],
)
def test_bounds_that_make_no_sense(bounds):
    Y, E = problem(9)
    with pytest.raises(ConfigError, match="bounds"):
        bvls(Y, E, **bounds)


def test_shapes_that_do_not_fit():
    Y, E = problem(9)
    for call in (
        lambda: bvls(Y, E[:-1]),
        lambda: bvls(Y, np.full_like(E, np.nan)),
        lambda: bvls(Y, np.ones((30, 65))),
        lambda: residual_rmse(Y, E, Y),
    ):
        with pytest.raises(ConfigError):
            call()
