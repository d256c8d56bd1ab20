"""The torch solvers give what the compiled ones give; on a machine without GPU they run on its CPU."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import (
    bounded_model,
    fcls,
    mixing_model,
    solve_block,
    solve_bounded_block,
    solve_torch,
    torch_model,
)

torch = pytest.importorskip("torch")  # an optional dependency
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CONSTRAINTS = ("fcls", "nnls", "ucls", "at_most_one", "bvls")


def problem(seed, bands=30, count=5, pixels=60, noise=0.05):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.02, 0.8, (bands, count))
    A = rng.dirichlet(np.full(count, 0.4), pixels) * rng.uniform(0.5, 1.2, pixels)[:, None]
    return np.ascontiguousarray((A @ E.T + rng.normal(0, noise, (pixels, bands))).T.astype(np.float32)), E


def compiled(Y, E, constraint):
    if constraint == "bvls":
        return solve_bounded_block(Y, bounded_model(E, lower=-0.1, upper=0.4))
    return solve_block(Y, mixing_model(E, constraint))


def by_torch(Y, E, constraint):
    bounds = {"lower": -0.1, "upper": 0.4} if constraint == "bvls" else {}
    return solve_torch(Y, torch_model(E, constraint, device=DEVICE, **bounds))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("count", [1, 2, 6, 20])
def test_agrees_with_the_compiled_solvers(constraint, count):
    Y, E = problem(count, bands=50, count=count)
    for got, want in zip(by_torch(Y, E, constraint), compiled(Y, E, constraint), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(
    ("what", "E"),
    [
        ("duplicates", np.repeat(problem(4, count=3)[1], 2, axis=1)),
        ("more endmembers than bands", problem(4, bands=30, count=33)[1]),
        ("all the same", np.repeat(problem(4, count=1)[1], 3, axis=1)),
        ("a zero spectrum", np.c_[problem(4, count=3)[1], np.zeros(30)]),
    ],
)
def test_degenerate_endmembers_and_bad_pixels(what, E, constraint):
    Y, _ = problem(4, bands=len(E), pixels=60)
    Y[3, 5], Y[:, 8], Y[2, 9] = np.nan, np.nan, np.inf
    Y[:, 10] = 0
    (A, rmse), (B, other) = by_torch(Y, E, constraint), compiled(Y, E, constraint)
    assert np.isnan(A[:, 8]).all()
    np.testing.assert_array_equal(np.isnan(A), np.isnan(B))
    np.testing.assert_allclose(rmse, other, atol=1e-6)  # the objective, also where the minimiser is not unique
    if "bands" not in what:
        np.testing.assert_allclose(A, B, atol=1e-5)


@pytest.mark.parametrize("constraint", ["fcls", "nnls", "ucls", "at_most_one"])
def test_a_prior_term(constraint):
    Y, E = problem(7)
    Z = np.random.default_rng(0).dirichlet(np.ones(5), 60).T.astype(np.float32)
    A, rmse = solve_torch(Y, torch_model(E, constraint, rho=0.7, device=DEVICE), Z)
    B, other = solve_block(Y, mixing_model(E, constraint, rho=0.7), Z)
    np.testing.assert_allclose(A, B, atol=1e-5)
    np.testing.assert_allclose(rmse, other, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 300), st.sampled_from(CONSTRAINTS))
def test_a_pixel_does_not_see_its_neighbours(seed, shift, constraint):
    Y, E = problem(seed, bands=17, count=4, pixels=40, noise=0.3)
    crowd = np.random.default_rng(seed).uniform(-1, 2, (17, shift + 40)).astype(np.float32)
    crowd[:, shift:] = Y
    (A, rmse), (B, other) = by_torch(Y, E, constraint), by_torch(crowd, E, constraint)
    assert A.tobytes() == np.ascontiguousarray(B[:, shift:]).tobytes()
    assert rmse.tobytes() == other[shift:].tobytes()


def test_chunks_leave_no_seam(monkeypatch):
    from hsgeo.spectra.solvers import cuda

    Y, E = problem(9, pixels=900)
    whole = by_torch(Y, E, "fcls")
    monkeypatch.setattr(cuda, "_BYTES", 1)
    for got, want in zip(by_torch(Y, E, "fcls"), whole, strict=True):
        assert got.tobytes() == want.tobytes()


def test_a_constraint_that_block_pivoting_does_not_end_on_is_still_solved(monkeypatch):
    from hsgeo.spectra.solvers import cuda

    Y, E = problem(10)
    pivot = cuda._pivot

    def gives_up(*args):
        A, done = pivot(*args)
        done[::3] = False
        A[:, ::3] = 7
        return A, done

    monkeypatch.setattr(cuda, "_pivot", gives_up)
    np.testing.assert_allclose(by_torch(Y, E, "fcls")[0].T, fcls(Y.T, E), atol=1e-5)


def test_what_does_not_fit():
    Y, E = problem(11)
    for call in (
        lambda: torch_model(E, "lasso", device=DEVICE),
        lambda: torch_model(E, "bvls", rho=1.0, device=DEVICE),
        lambda: torch_model(np.full_like(E, np.nan), device=DEVICE),
        lambda: solve_torch(Y[:-1], torch_model(E, device=DEVICE)),
        lambda: solve_torch(Y, torch_model(E, rho=1.0, device=DEVICE)),
    ):
        with pytest.raises(ConfigError):
            call()


@pytest.mark.skipif(DEVICE == "cuda", reason="this machine has a GPU")
def test_a_gpu_that_is_not_there():
    with pytest.raises(ConfigError, match="no GPU"):
        torch_model(problem(12)[1], device="cuda")
