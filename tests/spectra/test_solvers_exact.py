"""The solvers against a convex solver and scipy: optimal in both precisions, on easy, boundary and collinear cases."""

import cvxpy
import numpy as np
import pytest
import scipy.optimize

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import at_most_one, fcls, mixing_model, nnls, solve_block, ucls

SOLVERS = {"fcls": fcls, "nnls": nnls, "at_most_one": at_most_one, "ucls": ucls}
BANDS = 45  # not a multiple of a vector


def spectra(seed, count, bands=BANDS):
    rng = np.random.default_rng(seed)
    return np.abs(np.cumsum(rng.normal(0, 0.02, (bands, count)), axis=0) + rng.uniform(0.2, 0.6, count))


def case(name, pixels=400):
    """Data and endmembers; boundary: most pixels have zeros; outside: no pixel is a mixture."""
    rng = np.random.default_rng(11)
    E = spectra(1, 6)
    if name == "collinear":
        E = np.c_[E, E[:, :2].mean(axis=1), E[:, 2]]
    if name == "more than bands":
        E = spectra(2, 20, bands=13)
    A = rng.dirichlet(np.full(E.shape[1], {"boundary": 0.05}.get(name, 1.0)), pixels)
    Y = A @ E.T + rng.normal(0, 0.5 if name == "outside" else 0.01, (pixels, len(E)))
    return Y, E


def convex(y, E, constraint, rho=0.0, z=0.0):
    """Minimum and minimiser of ``|y - E a|^2 + rho |a - z|^2`` by an interior-point method."""
    a = cvxpy.Variable(E.shape[1])
    rules = {
        "fcls": [a >= 0, cvxpy.sum(a) == 1],
        "nnls": [a >= 0],
        "at_most_one": [a >= 0, cvxpy.sum(a) <= 1],
        "ucls": [],
    }[constraint]
    cost = cvxpy.sum_squares(y - E @ a) + rho * cvxpy.sum_squares(a - z)
    problem = cvxpy.Problem(cvxpy.Minimize(cost), rules)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)
    return problem.value, a.value


def kkt_residual(Y, E, A, constraint):
    """Largest violation of the optimality conditions, relative to max |E^T y|."""
    Y, A = np.asarray(Y, float), np.asarray(A, float)
    gradient = (A @ E.T - Y) @ E
    if constraint == "fcls":
        gradient -= (gradient * A).sum(axis=1, keepdims=True)
    inside = np.abs(gradient * (A > 0)).max()
    return max(inside, -gradient.min()) / np.abs(Y @ E).max()


@pytest.mark.parametrize("name", ["random", "boundary", "outside", "collinear", "more than bands"])
@pytest.mark.parametrize("constraint", ["fcls", "nnls"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_optimality_conditions_hold(name, constraint, dtype):
    Y, E = case(name)
    A = SOLVERS[constraint](Y.astype(dtype), E)
    assert A.dtype == dtype
    assert A.min() >= 0
    if constraint == "fcls":
        np.testing.assert_allclose(A.sum(axis=1, dtype=float), 1, atol=1e-6 if dtype == np.float32 else 1e-14)
    # a minimiser that is not unique carries the ridge of 1e-10, the others rounding
    assert kkt_residual(Y.astype(dtype), E, A, constraint) <= (1e-6 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("name", ["random", "boundary", "outside", "collinear", "more than bands"])
@pytest.mark.parametrize("constraint", ["fcls", "nnls", "at_most_one"])
def test_the_objective_is_that_of_a_convex_solver(name, constraint):
    Y, E = case(name, pixels=4)
    for y, a in zip(Y, SOLVERS[constraint](Y, E), strict=True):
        least, _ = convex(y, E, constraint)
        assert abs(np.sum((y - E @ a) ** 2) - least) <= 1e-8 * np.sum(y**2)


def test_nnls_in_float64_agrees_with_scipy():
    Y, E = case("outside")
    reference = np.array([scipy.optimize.nnls(E, y)[0] for y in Y])
    np.testing.assert_allclose(nnls(Y, E), reference, atol=1e-7)  # the ridge of 1e-10 moves weak directions by 1e-8


def test_pixels_that_block_pivoting_cycles_on_are_optimal():
    # 49 of these 20 000 exchange the same endmembers for ever under fcls, and end in the primal method
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(0, 0.02, (200, 6)), axis=0) + rng.uniform(0.2, 0.6, 6))
    Y = rng.dirichlet(np.full(6, 0.1), 20000) @ E.T + rng.normal(0, 0.01, (20000, 200))
    for constraint in ("fcls", "nnls"):
        assert kkt_residual(Y, E, SOLVERS[constraint](Y, E), constraint) <= 1e-10


@pytest.mark.parametrize("constraint", ["fcls", "nnls", "at_most_one", "ucls"])
def test_the_prior_pulls_as_much_as_rho_says(constraint):
    Y, E = case("random", pixels=4)
    Z = np.random.default_rng(5).uniform(-0.2, 0.6, (4, 6))
    Y[1, [3, 17]] = np.nan
    for rho in (1e-3, 0.5, 1e3):
        found = SOLVERS[constraint](Y, E, rho=rho, prior=Z)
        block, rmse = solve_block(Y.T, mixing_model(E, constraint, rho=rho), Z.T)
        np.testing.assert_array_equal(block.T, found)
        for y, z, a, misfit in zip(Y, Z, found, rmse, strict=True):
            on = np.isfinite(y)
            np.testing.assert_allclose(a, convex(y[on], E[on], constraint, rho, z)[1], atol=2e-6)
            np.testing.assert_allclose(misfit, np.sqrt(np.mean((y[on] - E[on] @ a) ** 2)), rtol=1e-9)


def test_at_most_one_leaves_room_for_shade():
    Y, E = case("random")
    A = at_most_one(Y * np.linspace(0, 1.3, len(Y))[:, None], E)
    total = A.sum(axis=1)
    assert A.min() >= 0
    assert total.max() <= 1 + 1e-12
    np.testing.assert_allclose(A[0], 0, atol=1e-9)  # a pixel without light is all shade
    np.testing.assert_allclose(total[100:250], np.linspace(0, 1.3, len(Y))[100:250], atol=0.15)
    with_shade = fcls(Y * 0.7, np.c_[E, np.zeros(BANDS)])
    # but for the ridge of 1e-10, which is not on the shade
    np.testing.assert_allclose(at_most_one(Y * 0.7, E), with_shade[:, :-1], atol=1e-8)


@pytest.mark.parametrize("constraint", ["fcls", "nnls", "at_most_one", "ucls"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_columns_and_threads_give_the_same_bits(constraint, dtype):
    rng = np.random.default_rng(3)
    Y, E = case("boundary", pixels=300)
    Y[rng.random(Y.shape) < 0.003] = np.nan
    Y = np.tile(Y.astype(dtype), (120, 1))[:35_001]  # three shares of the threads, and an odd pixel
    A = SOLVERS[constraint](Y, E, threads=1)
    assert A.tobytes() == SOLVERS[constraint](Y, E, threads=3).tobytes()
    assert A.tobytes() == SOLVERS[constraint](np.asfortranarray(Y), E).tobytes()
    block, rmse = solve_block(np.ascontiguousarray(Y.T), mixing_model(E, constraint))
    assert A.tobytes() == np.ascontiguousarray(block.T).tobytes()
    assert rmse.dtype == dtype
    np.testing.assert_array_equal(rmse[:300], rmse[300:600])


def test_a_residual_of_rounding_is_not_lost():
    Y, E = case("random")
    exact = nnls(Y, E) @ E.T
    A, rmse = solve_block(np.ascontiguousarray(exact.T), mixing_model(E, "nnls"))
    np.testing.assert_allclose(rmse, np.sqrt(np.mean((exact - A.T @ E.T) ** 2, axis=1)), atol=1e-15)
    assert rmse.max() < 1e-9


def test_integers_are_taken_as_they_are():
    Y, E = case("random", pixels=5)
    counts = np.round(Y * 1e4)
    for kind, wanted in ((np.int16, np.float32), (np.int32, np.float64)):
        found = fcls(counts.astype(kind), E * 1e4)
        assert found.dtype == wanted
        np.testing.assert_array_equal(found, fcls(counts.astype(wanted), E * 1e4))


@pytest.mark.parametrize("constraint", ["fcls", "nnls", "at_most_one", "ucls"])
def test_corner_cases_are_defined(constraint):
    Y, E = case("random", pixels=1)
    solver = SOLVERS[constraint]
    assert solver(Y, E).shape == (1, 6)
    assert solver(Y[:0], E).shape == (0, 6)
    assert np.isfinite(solver(np.zeros_like(Y), E)).all()
    assert np.isfinite(solver(Y, np.zeros_like(E))).all()
    assert np.isfinite(solver(Y * 1e200, E)).all()  # squares overflow, the sums do not
    dead = E.copy()
    dead[7] = 0.0
    assert np.isfinite(solver(np.where(np.arange(BANDS) == 7, 0.0, Y), dead)).all()
    Z = np.full((1, 6), np.nan)
    assert np.isnan(solver(Y, E, rho=1.0, prior=Z)).all()


def test_a_prior_and_its_weight_belong_together():
    Y, E = case("random", pixels=3)
    Z = np.zeros((3, 6))
    for call in (
        lambda: fcls(Y, E, rho=1.0),
        lambda: fcls(Y, E, prior=Z),
        lambda: fcls(Y, E, rho=1.0, prior=Z.T),
        lambda: fcls(Y, E, rho=-1.0, prior=Z),
        lambda: mixing_model(E, rho=np.nan),
        lambda: fcls(Y, E, threads=0),
    ):
        with pytest.raises(ConfigError):
            call()
