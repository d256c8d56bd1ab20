"""Weights from the noise: the answers of generalised least squares."""

from functools import partial

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import bvls, fcls, gls, nnls, noise_factor, scls, ucls, whiten


def problem(seed, bands=20, count=4, pixels=30):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.05, 0.8, (bands, count))
    std = rng.uniform(0.01, 0.1, bands)
    S = 0.7 ** np.abs(np.subtract.outer(np.arange(bands), np.arange(bands))) * std * std[:, None]
    A = rng.dirichlet(np.full(count, 0.5), pixels)
    return A @ E.T + rng.multivariate_normal(np.zeros(bands), S, pixels), E, std, S


def test_unconstrained_is_the_closed_form():
    Y, E, std, S = problem(0)
    for noise, P in ((std, np.diag(std**-2)), (S, np.linalg.inv(S))):
        np.testing.assert_allclose(gls(Y, E, noise, solver=ucls), Y @ P @ E @ np.linalg.inv(E.T @ P @ E), atol=1e-5)


@pytest.mark.parametrize("constraint", ["fcls", "nnls", "bvls"])
def test_constrained_agrees_with_a_convex_solver(constraint):
    Y, E, std, S = problem(1, pixels=6)
    solver = {"fcls": fcls, "nnls": nnls, "bvls": partial(bvls, lower=0.05, upper=0.5)}[constraint]
    for noise, root in ((std, np.diag(1 / std)), (S, np.linalg.inv(np.linalg.cholesky(S)))):
        for y, found in zip(Y, gls(Y, E, noise, solver=solver), strict=True):
            a = cvxpy.Variable(4)
            wanted = {"fcls": [a >= 0, cvxpy.sum(a) == 1], "nnls": [a >= 0], "bvls": [a >= 0.05, a <= 0.5]}
            objective = cvxpy.sum_squares(root @ y - (root @ E) @ a)
            cvxpy.Problem(cvxpy.Minimize(objective), wanted[constraint]).solve(cvxpy.CLARABEL)
            np.testing.assert_allclose(found, a.value, atol=2e-5)


@pytest.mark.parametrize("correlated", [False, True])
def test_a_pixel_that_lacks_bands_is_weighted_by_what_is_known_of_the_rest(correlated):
    Y, E, std, S = problem(2)
    noise = S if correlated else std
    holes = Y.copy()
    holes[::3, [2, 3]] = np.nan
    holes[4, 9] = np.inf
    holes[5] = np.nan
    A, gain = gls(holes, E, noise, solver=scls)
    for pixel in (0, 1, 4):
        has = np.isfinite(holes[pixel])
        own = S[np.ix_(has, has)] if correlated else std[has]
        one, its = gls(Y[pixel : pixel + 1, has], E[has], own, solver=scls)
        np.testing.assert_allclose(A[pixel], one[0], atol=1e-6)
        np.testing.assert_allclose(gain[pixel], its[0], rtol=1e-6)
    assert np.isnan(A[5]).all()
    assert np.isnan(gain[5])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6))
def test_only_ratios_of_the_noise_matter(seed, factor):
    Y, E, std, S = problem(seed, pixels=6)
    for noise, by in ((std, factor), (S, factor**2)):
        np.testing.assert_allclose(gls(Y, E, noise), gls(Y, E, noise * by), atol=2e-5)


def test_white_noise_changes_nothing():
    Y, E, *_ = problem(3)
    np.testing.assert_allclose(gls(Y, E, 0.3), fcls(Y, E), atol=1e-6)


def test_whitened_noise_is_white():
    _, E, _, S = problem(4)
    rng = np.random.default_rng(0)
    white, _ = whiten(rng.multivariate_normal(np.zeros(20), S, 20_000), E, S)
    np.testing.assert_allclose(np.cov(white.T), np.eye(20), atol=0.05)


def test_a_singular_covariance_has_an_answer():
    Y, E, _, _ = problem(5)
    few = np.random.default_rng(0).normal(0, 0.05, (5, 20))  # five pixels say nothing about 16 directions
    L = noise_factor(few.T @ few / 5, 20)
    np.testing.assert_allclose(L @ L.T, few.T @ few / 5, atol=1e-7)
    assert np.isfinite(gls(Y, E, few.T @ few / 5)).all()


@pytest.mark.parametrize(
    ("what", "noise"),
    [
        ("not positive", np.r_[0.0, np.ones(19)]),
        ("not positive", np.r_[np.nan, np.ones(19)]),
        ("not positive", -1.0),
        ("shape", np.ones(19)),
        ("symmetric", np.eye(20) + np.eye(20, k=1)),
        ("eigenvalue", np.eye(20) * -1.9 + 2.9),
    ],
)
def test_noise_that_cannot_be(what, noise):
    Y, E, *_ = problem(6)
    with pytest.raises(ConfigError, match=what):
        whiten(Y, E, noise)
