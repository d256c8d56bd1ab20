"""FCLS, NNLS and UCLS: exact, indifferent to their neighbours, defined in every corner case."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import fcls, mixing_model, nnls, solve_block, ucls


def problem(seed, bands=30, count=5, pixels=60, noise=0.05):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.02, 0.8, (bands, count))
    A = rng.dirichlet(np.full(count, 0.4), pixels)
    return (A @ E.T + rng.normal(0, noise, (pixels, bands))).astype(np.float32), E


def kkt_residual(Y, E, A, sum_to_one):
    """Largest violation of the optimality conditions, relative to max |E^T Y|."""
    Y, A = Y.astype(float), A.astype(float)
    gradient = (A @ E.T - Y) @ E
    if sum_to_one:  # the multiplier that the positive entries agree on
        gradient = gradient - np.sum(gradient * A, axis=1, keepdims=True)
    stationary = np.abs(gradient * (A > 0)).max()
    return max(stationary, -gradient.min(initial=0.0)) / np.abs(Y @ E).max()


def test_nnls_agrees_with_scipy():
    Y, E = problem(0)
    reference = np.array([scipy.optimize.nnls(E, y)[0] for y in Y.astype(float)])
    np.testing.assert_allclose(nnls(Y, E), reference, atol=1e-6)


def test_fcls_agrees_with_a_convex_solver():
    Y, E = problem(1, pixels=12)
    for y, a in zip(Y.astype(float), fcls(Y, E), strict=True):
        found = scipy.optimize.minimize(
            lambda x, y=y: np.sum((y - E @ x) ** 2),
            np.full(5, 0.2),
            jac=lambda x, y=y: -2 * E.T @ (y - E @ x),
            method="SLSQP",
            bounds=[(0, 1)] * 5,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(a, found.x, atol=2e-5)
        assert np.sum((y - E @ a) ** 2) <= found.fun + 1e-7


def test_ucls_agrees_with_least_squares():
    Y, E = problem(2)
    np.testing.assert_allclose(ucls(Y, E), np.linalg.lstsq(E, Y.T.astype(float))[0].T, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 6, 10, 11, 24, 64])
def test_optimality_and_constraints(count):
    Y, E = problem(3, bands=80, count=count, pixels=40, noise=0.2)
    A = fcls(Y, E)
    assert A.dtype == np.float32
    assert A.min() >= 0
    np.testing.assert_allclose(A.sum(axis=1, dtype=float), 1, atol=1e-6)
    assert kkt_residual(Y, E, A, sum_to_one=True) <= 1e-6
    N = nnls(Y, E)
    assert N.min() >= 0
    assert kkt_residual(Y, E, N, sum_to_one=False) <= 1e-6


@pytest.mark.parametrize(
    ("what", "E"),
    [
        ("duplicates", np.repeat(problem(4, count=3)[1], 2, axis=1)),
        ("collinear", np.c_[problem(4, count=3)[1], problem(4, count=3)[1] @ [[0.5], [0.5], [0.0]]]),
        ("more endmembers than bands", problem(4, bands=30, count=40)[1]),
        ("all the same", np.repeat(problem(4, count=1)[1], 3, axis=1) * [1, 1 + 1e-16, 1 - 1e-16]),
        ("shade", np.c_[problem(4, count=3)[1], np.zeros(30)]),
    ],
)
def test_degenerate_endmembers_have_an_optimal_answer(what, E):
    Y = problem(4, count=3)[0]
    for solver, sum_to_one in ((fcls, True), (nnls, False)):
        A = solver(Y, E)
        assert np.isfinite(A).all(), what
        assert kkt_residual(Y, E, A, sum_to_one) <= 2e-6, what
    if what == "duplicates":
        np.testing.assert_allclose(A[:, ::2], A[:, 1::2], atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.integers(0, 600),
    st.sampled_from(["fcls", "nnls", "ucls", "at_most_one"]),
    st.sampled_from([0.0, 0.3]),
)
def test_a_pixel_is_the_same_wherever_it_stands(seed, count, shift, constraint, rho):
    Y, E = problem(seed, bands=17, count=count, pixels=40)
    rng = np.random.default_rng(seed)
    Y[rng.random(Y.shape) < 0.02] = np.nan  # partial pixels travel too
    Y[5:9, 3] = np.nan  # and some that lack the same
    model = mixing_model(E, constraint, rho=rho)
    Z = rng.normal(0.3, 0.3, (count, shift + 40)) if rho else None
    A, rmse = solve_block(np.ascontiguousarray(Y.T), model, Z[:, shift:] if rho else None)
    crowd = rng.uniform(-1, 2, (17, shift + 40)).astype(np.float32)
    crowd[:, rng.random(shift + 40) < 0.3] = np.nan
    crowd[:, shift:] = Y.T
    B, other = solve_block(crowd, model, Z)
    assert A.tobytes() == np.ascontiguousarray(B[:, shift:]).tobytes()
    assert rmse.tobytes() == other[shift:].tobytes()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8))
def test_the_order_of_endmembers_does_not_matter(seed, count):
    Y, E = problem(seed, bands=20, count=count, pixels=20)
    order = np.random.default_rng(seed).permutation(count)
    np.testing.assert_allclose(fcls(Y, E)[:, order], fcls(Y, E[:, order]), atol=1e-5)


def test_a_nan_pixel_changes_nothing_else():
    Y, E = problem(5)
    holes = Y.copy()
    holes[7] = np.nan
    A, B = fcls(Y, E), fcls(holes, E)
    assert np.isnan(B[7]).all()
    others = np.arange(len(Y)) != 7
    assert A[others].tobytes() == B[others].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_bands_are_left_out(value):
    Y, E = problem(6)
    holes = Y.copy()
    holes[:, [3, 11]] = value
    keep = np.delete(np.arange(30), [3, 11])
    for constraint in ("fcls", "nnls", "ucls"):
        A, rmse = solve_block(np.ascontiguousarray(holes.T), mixing_model(E, constraint))
        B, other = solve_block(np.ascontiguousarray(Y[:, keep].T), mixing_model(E[keep], constraint))
        np.testing.assert_allclose(A, B, atol=2e-6)
        np.testing.assert_allclose(rmse, other, rtol=1e-5)


def test_rmse_has_no_cancellation():
    Y, E = problem(7, noise=0)
    A, rmse = solve_block(np.ascontiguousarray(Y.T) * 1e4, mixing_model(E * 1e4))
    direct = np.sqrt(np.mean((Y.astype(float) * 1e4 - A.T.astype(float) @ E.T * 1e4) ** 2, axis=1))
    assert rmse.max() < 2e-3  # float32 rounding of values up to 1e4 is 5e-4
    assert direct.max() < 2e-3


def test_shapes_that_do_not_fit():
    Y, E = problem(8)
    for call in (
        lambda: fcls(Y, E[:-1]),
        lambda: fcls(Y[0], E),
        lambda: fcls(Y, np.full_like(E, np.nan)),
        lambda: fcls(Y, np.ones((30, 65))),
        lambda: mixing_model(E, "bvls"),
    ):
        with pytest.raises(ConfigError):
            call()
