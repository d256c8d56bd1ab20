"""The error of abundances, as many noisy copies of a pixel show it."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import (
    abundance_covariance,
    abundance_std,
    bvls,
    error_model,
    fcls,
    gls,
    mixing_model,
    nnls,
    scls,
    solve_block,
    std_block,
    ucls,
)

BANDS, COPIES = 40, 6000  # the standard deviation of 6000 numbers is known within 1 %
RNG = np.random.default_rng(0)
E = RNG.uniform(0.05, 0.8, (BANDS, 4))
INTERIOR = np.array([0.4, 0.3, 0.2, 0.1])
STD = np.linspace(0.002, 0.01, BANDS)
S = 0.6 ** np.abs(np.subtract.outer(np.arange(BANDS), np.arange(BANDS))) * STD * STD[:, None]


def copies(a, correlated, gain=1.0):
    rng = np.random.default_rng(1)
    noise = rng.multivariate_normal(np.zeros(BANDS), S, COPIES) if correlated else rng.normal(0, STD, (COPIES, BANDS))
    return gain * (a @ E.T) + noise


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("constraint", "solver"), [("fcls", fcls), ("nnls", nnls), ("ucls", ucls), ("bvls", bvls)])
def test_interior_pixels(constraint, solver, weighted, correlated):
    Y, noise = copies(INTERIOR, correlated), S if correlated else STD
    found = (gls(Y, E, noise, solver=solver) if weighted else solver(Y, E)).astype(float)
    how = {"noise": noise, "constraint": constraint, "weighted": weighted}
    np.testing.assert_allclose(found.std(axis=0), abundance_std(E, INTERIOR[None], **how)[0], rtol=0.05)
    C = abundance_covariance(E, INTERIOR[None], **how)[0]
    np.testing.assert_allclose(np.cov(found.T), C, atol=0.05 * np.abs(C).max())


def test_the_closed_forms():
    a = INTERIOR[None]
    G = np.linalg.inv(E.T @ E)
    one = np.ones((4, 1))
    np.testing.assert_allclose(abundance_covariance(E, a, noise=0.01, constraint="ucls")[0], 1e-4 * G, rtol=1e-6)
    plane = G - G @ one @ one.T @ G / (one.T @ G @ one)
    np.testing.assert_allclose(abundance_covariance(E, a, noise=0.01)[0], 1e-4 * plane, rtol=1e-6)
    weighted = abundance_covariance(E, a, noise=S, constraint="nnls", weighted=True)[0]
    np.testing.assert_allclose(weighted, np.linalg.inv(E.T @ np.linalg.inv(S) @ E), rtol=1e-6)


def test_a_gain():
    A, found = scls(copies(INTERIOR, correlated=True, gain=0.3), E)
    assert abs(found.mean() - 0.3) < 1e-3
    how = {"noise": S, "constraint": "nnls", "gain": np.array([0.3])}
    np.testing.assert_allclose(A.std(axis=0), abundance_std(E, INTERIOR[None], **how)[0], rtol=0.05)
    C = abundance_covariance(E, INTERIOR[None], **how)[0]
    np.testing.assert_allclose(np.sqrt(np.diag(C)), abundance_std(E, INTERIOR[None], **how)[0], rtol=1e-6)
    np.testing.assert_allclose(C.sum(axis=0), 0, atol=1e-9 * np.abs(C).max())


def test_shade_divided_out():
    found = fcls(copies(INTERIOR, correlated=False, gain=0.5), np.c_[E, np.zeros(BANDS)])[:, :4].astype(float)
    found /= found.sum(axis=1, keepdims=True)
    expected = abundance_std(E, INTERIOR[None], noise=STD, constraint="at_most_one", gain=np.array([0.5]))
    np.testing.assert_allclose(found.std(axis=0), expected[0], rtol=0.05)


@pytest.mark.parametrize("constraint", ["ucls", "nnls", "fcls", "at_most_one"])
def test_a_prior_takes_the_noise_with_it(constraint):
    a = INTERIOR if constraint == "fcls" else 0.8 * INTERIOR  # a sum that at_most_one does not hold
    Y, prior = copies(a, correlated=False), np.repeat(a[:, None], COPIES, axis=1)
    found = solve_block(np.ascontiguousarray(Y.T), mixing_model(E, constraint, rho=0.5), prior)[0]
    expected = abundance_std(E, a[None], noise=STD, constraint=constraint, rho=0.5)[0]
    np.testing.assert_allclose(found.std(axis=1), expected, rtol=0.05)
    assert (expected < abundance_std(E, a[None], noise=STD, constraint=constraint)[0]).all()


def test_what_is_held_by_a_constraint_does_not_move():
    a = np.array([0.7, 0.3, 0, 0])
    C = abundance_covariance(E, a[None], noise=STD)[0]
    found = fcls(copies(a, correlated=False), E).astype(float)
    held = (found[:, 2:] == 0).all(axis=1)  # where noise does not push the others in, the error is this
    assert (C[2:] == 0).all()
    np.testing.assert_allclose(found[held].std(axis=0), np.sqrt(np.diag(C)), rtol=0.1, atol=1e-9)
    assert (abundance_std(E, np.eye(4), noise=STD) == 0).all()
    upper = abundance_std(E, np.array([[1.0, 0.5, 0.5, 0.5]]), noise=STD, constraint="bvls")
    assert (upper == 0).tolist() == [[True, False, False, False]]
    full = abundance_covariance(E, INTERIOR[None], noise=STD, constraint="at_most_one")
    np.testing.assert_allclose(full, abundance_covariance(E, INTERIOR[None], noise=STD), rtol=1e-9)


def test_twins_share_and_are_as_sure_as_each_half():
    twins = np.c_[E, E[:, 0]]
    a = np.array([0.2, 0.3, 0.2, 0.1, 0.2])
    found = fcls(copies(INTERIOR, correlated=True), twins)
    np.testing.assert_allclose(found.std(axis=0), abundance_std(twins, a[None], noise=S)[0], rtol=0.05)


@pytest.mark.parametrize("noise", [0.01, STD, S], ids=["white", "bands", "covariance"])
def test_missing_bands_make_it_worse(noise):
    A = np.repeat(INTERIOR[None], 3, axis=0)
    valid = np.ones((3, BANDS), bool)
    valid[1, 10:] = False
    valid[2] = False
    std = abundance_std(E, A, noise=noise, valid=valid, weighted=True)
    own = noise if np.ndim(noise) == 0 else noise[:10] if np.ndim(noise) == 1 else noise[:10, :10]
    np.testing.assert_allclose(std[0], abundance_std(E, A[:1], noise=noise, weighted=True)[0], rtol=1e-6)
    np.testing.assert_allclose(std[1], abundance_std(E[:10], A[:1], noise=own, weighted=True)[0], rtol=1e-6)
    assert (std[1] > std[0]).all()
    assert np.isnan(std[2]).all()


def test_no_abundance_no_error():
    A = np.repeat(INTERIOR[None], 3, axis=0)
    A[1] = np.nan
    std = abundance_std(E, A, noise=STD, constraint="nnls", gain=np.array([1.0, 1.0, 0.0]))
    assert np.isnan(std).all(axis=1).tolist() == [False, True, True]
    C = abundance_covariance(E, A, noise=STD, constraint="nnls", gain=np.array([1.0, 1.0, 0.0]))
    assert np.isnan(C).all(axis=(1, 2)).tolist() == [False, True, True]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["fcls", "nnls", "at_most_one"]), st.booleans())
def test_a_pixel_does_not_see_its_neighbours(seed, constraint, with_gain):
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.full(4, 0.3), 60).astype(np.float32)
    A[A < 0.1] = 0
    gain = rng.random(60) if with_gain and constraint != "fcls" else None
    valid = rng.random((60, BANDS)) > 0.01
    model = partial(error_model, E, noise=STD, constraint=constraint)
    whole = std_block(A.T, model(), gain=gain, valid=valid.T)
    for pixels in (slice(7, 8), slice(20, 60)):
        part = std_block(A[pixels].T, model(), gain=None if gain is None else gain[pixels], valid=valid[pixels].T)
        assert whole[:, pixels].tobytes() == part.tobytes()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("constraint", {"constraint": "lasso"}),
        ("abundances", {"A": np.ones((2, 3))}),
        ("gain was given", {"gain": np.ones(1)}),
        ("gain has the shape", {"gain": np.ones(2), "constraint": "nnls"}),
        ("valid", {"valid": np.ones((1, 3), bool)}),
        ("rho", {"rho": -1.0}),
        ("noise", {"noise": np.ones(3)}),
        ("endmembers", {"E": np.full((BANDS, 4), np.nan)}),
    ],
)
def test_what_does_not_fit(what, change):
    with pytest.raises(ConfigError, match=what):
        abundance_std(**{"E": E, "A": INTERIOR[None], "noise": STD} | change)
