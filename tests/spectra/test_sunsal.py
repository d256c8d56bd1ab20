"""Sparse unmixing: the minimiser of a convex solver, whatever the library and whatever is missing."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import fcls, nnls, solve_sparse_block, sparse_model, sunsal, sunsal_tv


def library(bands, count, seed=0):
    """Smooth, coherent spectra, as real libraries are."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, bands)[:, None]
    humps = rng.uniform(-0.1, 0.2, (8, count)), rng.uniform(0, 1, (8, count)), rng.uniform(0.02, 0.3, (8, count))
    return np.clip(
        rng.uniform(0.05, 0.5, count)
        + sum(h * np.exp(-0.5 * ((x - c) / w) ** 2) for h, c, w in zip(*humps, strict=True)),
        0.01,
        1,
    )


def problem(bands=40, count=90, pixels=4, seed=0):
    rng = np.random.default_rng(seed)
    E = library(bands, count, seed)
    A = np.zeros((pixels, count))
    for a in A:
        a[rng.choice(count, 4, replace=False)] = rng.dirichlet(np.ones(4))
    return (A @ E.T + rng.normal(0, 0.003, (pixels, bands))).astype(np.float32), E


def cost(y, E, a, lam):
    there = np.isfinite(y)
    return 0.5 * np.sum((y[there].astype(float) - E[there] @ a) ** 2) + lam * np.abs(a).sum()


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("lam", [1e-3, 1e-2])
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_sunsal_is_the_minimiser(nonnegative, sum_to_one, lam):
    Y, E = problem()
    Y[2, [3, 17]] = np.nan, np.inf
    Y[1] -= 0.5 * E[:, 0]  # what only a negative abundance explains
    found = sunsal(Y, E, lam=lam, nonnegative=nonnegative, sum_to_one=sum_to_one).astype(float)
    assert (found >= 0).all() == nonnegative
    for y, a in zip(Y, found, strict=True):
        there = np.isfinite(y)
        x = cvxpy.Variable(E.shape[1])
        loss = 0.5 * cvxpy.sum_squares(y[there].astype(float) - E[there] @ x) + lam * cvxpy.norm1(x)
        limits = [x >= 0] * nonnegative + [cvxpy.sum(x) == 1] * sum_to_one
        cvxpy.Problem(cvxpy.Minimize(loss), limits).solve(
            solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
        )
        assert cost(y, E, a, lam) <= cost(y, E, x.value, lam) * (1 + 1e-6)
        if sum_to_one:
            assert a.sum() == pytest.approx(1, abs=1e-6)


def test_without_a_price_it_is_least_squares():
    Y, E = problem(count=12, pixels=30)
    np.testing.assert_allclose(sunsal(Y, E), nnls(Y, E), atol=2e-6)
    np.testing.assert_allclose(sunsal(Y, E, sum_to_one=True, lam=1.0), fcls(Y, E), atol=2e-6)


@pytest.mark.parametrize(
    ("what", "E"),
    [
        ("duplicates", np.repeat(library(20, 3), 40, axis=1)),
        ("shade", np.c_[library(20, 3), np.zeros(20)]),
        ("one", library(20, 1)),
        ("all the same", np.repeat(library(20, 1), 5, axis=1)),
    ],
)
@pytest.mark.parametrize("lam", [0.0, 1e-3])
def test_degenerate_libraries_are_optimal(what, E, lam):
    rng = np.random.default_rng(0)
    Y = (rng.dirichlet(np.ones(E.shape[1]), 20) @ E.T + rng.normal(0, 0.02, (20, 20))).astype(np.float32)
    Y[0] = 0
    for sum_to_one in (False, True):
        A = sunsal(Y, E, lam=lam, sum_to_one=sum_to_one).astype(float)
        assert A.min() >= 0
        gradient = (Y - A @ E.T) @ E - (0 if sum_to_one else lam)
        if sum_to_one:
            gradient -= np.sum(gradient * A, axis=1, keepdims=True)
        assert max(gradient.max(), np.abs(gradient * A).max()) <= 2e-6 * np.abs(Y @ E).max(), (what, sum_to_one)
    assert (sunsal(Y[:1], E, lam=1e-3) == 0).all()


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 50), st.integers(0, 300), st.booleans(), st.booleans())
def test_a_pixel_is_the_same_wherever_it_stands(seed, count, shift, signed, sum_to_one):
    rng = np.random.default_rng(seed)
    Y, E = problem(17, max(count, 4), 20, seed % 100)
    Y[rng.random(Y.shape) < 0.05] = np.nan
    Y[3] = np.nan
    model = sparse_model(E, lam=1e-3, nonnegative=not signed, sum_to_one=sum_to_one)
    A, rmse = solve_sparse_block(np.ascontiguousarray(Y.T), model)
    crowd = rng.uniform(-1, 2, (17, shift + 20)).astype(np.float32)
    crowd[:, shift:] = Y.T
    B, other = solve_sparse_block(crowd, model)
    assert A.tobytes() == np.ascontiguousarray(B[:, shift:]).tobytes()
    assert rmse.tobytes() == other[shift:].tobytes()
    assert np.isnan(A[:, 3]).all()


def test_wild_pixels_end():
    rng = np.random.default_rng(0)
    E = library(60, 200)
    Y = rng.normal(0, 1, (50, 60)).astype(np.float32) * 1e4
    for signed in (False, True):
        A = sunsal(Y, E, lam=1.0, nonnegative=not signed).astype(float)
        gradient = (Y - A @ E.T) @ E
        excess = (np.abs(gradient) if signed else gradient) - 1.0
        # abundances reach 1e6 here, and come as float32
        rounding = 1e-7 * np.abs(A).sum(axis=1).max() * np.abs(E.T @ E).max()
        assert excess.max() <= 1e-6 * np.abs(Y @ E).max() + rounding


def image(seed=0):
    rng = np.random.default_rng(seed)
    E = library(20, 7, 1)
    A = np.zeros((6, 6, 7))
    A[:, :3, 0], A[:, :3, 2], A[:, 3:, 4] = 0.7, 0.3, 1
    Y = A @ E.T + rng.normal(0, 0.01, (6, 6, 20))
    Y[2, 2], Y[4, 4, 3] = np.nan, np.nan
    return Y, E


def tv_cost(Y, E, A, lam, lam_tv, library_of=np):
    """The objective, in numpy or in cvxpy; ``A (pixels, endmembers)``."""
    there = np.isfinite(Y).reshape(36, 20)
    valid = there.any(axis=1)
    pairs = [(p, q) for p in range(36) for q in (p + 1, p + 6) if q < 36 and (q != p + 1 or q % 6)]
    left, right = np.array([(p, q) for p, q in pairs if valid[p] and valid[q]]).T
    rest = np.where(there, Y.reshape(36, 20), 0)
    if library_of is cvxpy:
        loss = 0.5 * cvxpy.sum_squares(rest - cvxpy.multiply(there, A @ E.T))
        return loss + lam * cvxpy.sum(cvxpy.abs(A[valid])) + lam_tv * cvxpy.sum(cvxpy.abs(A[left] - A[right]))
    loss = 0.5 * np.sum((rest - there * (A @ E.T)) ** 2)
    return loss + lam * np.abs(A[valid]).sum() + lam_tv * np.abs(A[left] - A[right]).sum()


@pytest.mark.parametrize(
    ("nonnegative", "sum_to_one", "lam", "lam_tv"),
    [(True, False, 1e-2, 1e-2), (True, True, 0.0, 3e-2), (False, False, 1e-3, 3e-2)],
)
def test_sunsal_tv_is_the_minimiser(nonnegative, sum_to_one, lam, lam_tv):
    Y, E = image()
    x = cvxpy.Variable((36, 7))
    limits = [x >= 0] * nonnegative + [cvxpy.sum(x, axis=1) == 1] * sum_to_one
    cvxpy.Problem(cvxpy.Minimize(tv_cost(Y, E, x, lam, lam_tv, cvxpy)), limits).solve(solver=cvxpy.CLARABEL)
    best = tv_cost(Y, E, x.value, lam, lam_tv)
    for dtype, tolerance, excess in ((np.float64, 1e-7, 2e-6), (np.float32, 5e-4, 1e-2)):
        found = sunsal_tv(
            Y,
            E,
            lam=lam,
            lam_tv=lam_tv,
            nonnegative=nonnegative,
            sum_to_one=sum_to_one,
            tolerance=tolerance,
            iterations=8000,
            dtype=dtype,
        )
        assert np.isnan(found.A[2, 2]).all()
        assert np.isfinite(found.A).all(axis=-1).sum() == 35
        A = np.nan_to_num(found.A.astype(float)).reshape(36, 7)
        assert tv_cost(Y, E, A, lam, lam_tv) <= best * (1 + excess)


def test_smoothing_helps_and_no_price_is_pixelwise():
    rng = np.random.default_rng(0)
    E = library(50, 4, 3)
    y, x = np.mgrid[:24, :24]
    A = np.stack([y < 12, (y >= 12) & (x < 9), (y >= 12) & (x >= 9), y < 0], axis=-1).astype(float)
    Y = A @ E.T + rng.normal(0, 0.05, (24, 24, 50))
    alone = sunsal(Y.reshape(-1, 50), E).reshape(A.shape)
    free = sunsal_tv(Y, E, lam_tv=0.0, tolerance=1e-6, iterations=5000)
    np.testing.assert_allclose(free.A, alone, atol=1e-3)
    smooth = sunsal_tv(Y, E, lam_tv=0.01, tolerance=1e-3)
    assert np.sqrt(np.mean((smooth.A - A) ** 2)) < 0.5 * np.sqrt(np.mean((alone - A) ** 2))


def test_what_cannot_be_solved_is_said():
    Y, E = problem()
    for call in (
        lambda: sunsal(Y, E[:-1]),
        lambda: sunsal(Y, E, lam=-1),
        lambda: sunsal(Y, np.where(E > 0.2, np.nan, E)),
        lambda: sparse_model(np.ones((2, 5000))),
        lambda: sunsal_tv(Y, E, lam_tv=1.0),
        lambda: sunsal_tv(Y[None], E, lam_tv=np.nan),
        lambda: sunsal_tv(Y[None], E, lam_tv=1.0, sum_to_one=True, nonnegative=False),
    ):
        with pytest.raises(ConfigError):
            call()
    nothing = sunsal_tv(np.full((2, 3, 40), np.nan), E, lam_tv=1.0)
    assert np.isnan(nothing.A).all()
    assert nothing.A.shape == (2, 3, 90)
    one = sunsal_tv(Y[:1][None], E, lam=1e-2, lam_tv=1.0, tolerance=1e-7, iterations=20000)
    np.testing.assert_allclose(one.A[0], sunsal(Y[:1], E, lam=1e-2), atol=2e-3)
