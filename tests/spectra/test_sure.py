"""Stein's estimate of the risk of a blend against the risk itself, and the minimiser against a convex solver."""

from dataclasses import replace

import cvxpy
import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers import solve_vector_tv, vector_tv_model
from hsgeo.spectra.solvers.sure import perturbed, simplex_minimum, sure_blend
from hsgeo.synthetic import Effects, observe, random_field, random_spectra

BANDS, SIZE = 40, 64
NM = np.linspace(420, 2400, BANDS)


def scene(seed, *, peak, kind=None, snr=15.0, error=0.0, count=4):
    """Spectra (bands, rows, cols), endmembers, noise, and the closed form of the clean data."""
    rng = np.random.default_rng(seed)
    E = random_spectra(rng, count, NM).astype(np.float64)
    A = random_field(rng, SIZE, SIZE, count, kind=kind)
    effects = Effects(snr_db=snr, model_error=error, gain_smooth=0.1 * peak)
    seen = observe(rng, E, A, wavelength=NM, effects=effects)
    noise = np.maximum(seen.noise_std, 1e-7)
    model = vector_tv_model(E, noise, peak=peak)
    return seen.spectra, model, solve_vector_tv(seen.clean, model, weight=0.0)[0]


def maps(Y, model, weights):
    return np.stack([solve_vector_tv(Y, model, weight=w)[0] for w in weights])


def rmse(a, b):
    return float(np.sqrt(np.nanmean((a - b) ** 2)))


def blend_of(Y, model, weights=(0.0, 0.7, 4.0), seed=0, **more):
    moved, noise = perturbed(Y, model, rng=np.random.default_rng(seed))
    A = maps(Y, model, weights)
    return A, sure_blend([Y], [noise], [A], [maps(moved, model, weights)], model=model, **more)


def test_the_minimiser_is_that_of_a_convex_solver():
    rng = np.random.default_rng(0)
    for count in (1, 2, 4, 6):
        for _ in range(4):
            root, d = rng.standard_normal((count + 1, count)), 2 * rng.standard_normal(count)
            Q = root.T @ root
            w = cvxpy.Variable(count)
            cost = cvxpy.sum_squares(root @ w) + 2 * d @ w
            cvxpy.Problem(cvxpy.Minimize(cost), [w >= 0, cvxpy.sum(w) == 1]).solve(solver=cvxpy.CLARABEL)
            np.testing.assert_allclose(simplex_minimum(Q, d), w.value, atol=1e-5)
    np.testing.assert_allclose(simplex_minimum(np.ones((3, 3)), np.zeros(3)), np.full(3, 1 / 3), atol=1e-6)


@pytest.mark.parametrize("peak", [False, True])
def test_the_blend_is_nearly_the_best_of_all(peak):
    logs = []
    for seed, kind in enumerate((None, "flat", "texture")):
        Y, model, truth = scene(seed, peak=peak, kind=kind, error=0.02)
        A, found = blend_of(Y, model)
        assert found.weights.min() >= 0
        assert found.weights.sum() == pytest.approx(1)
        assert found.blended_risk <= found.risk.min() + 1e-9
        each = [rmse(a, truth) for a in A]
        logs.append(np.log(rmse(np.einsum("k,kpyx->pyx", found.weights, A), truth) / min(each)))
        assert logs[-1] < np.log(1.1)
    assert np.mean(logs) < 0.02


def test_the_risk_is_the_error_but_for_a_constant():
    Y, model, truth = scene(5, peak=False, snr=20.0, count=3)
    A, found = blend_of(Y, model, weights=(0.0, 0.5, 2.0))
    true = [np.square(a - truth).sum(axis=0).mean() for a in A]
    np.testing.assert_allclose(np.diff(found.risk), np.diff(true), atol=0.15 * (max(true) - min(true)))


def test_what_no_mixture_explains_is_no_reason_to_smooth():
    Y, model, truth = scene(11, peak=False, kind="texture", snr=45.0, error=0.1)
    A, found = blend_of(Y, model)
    assert rmse(np.einsum("k,kpyx->pyx", found.weights, A), truth) < 1.02 * rmse(A[0], truth) + 1e-4


def test_the_same_estimates_share_and_the_guard_draws_back():
    Y, model, _ = scene(1, peak=False)
    _, twins = blend_of(Y, model, weights=(1.0, 1.0))
    np.testing.assert_allclose(twins.weights, 0.5, atol=1e-3)
    moved, noise = perturbed(Y, model, rng=np.random.default_rng(0))
    exact = maps(Y, model, (0.0,))
    # an answer that does not look at the data, near to what they say on the whole: better hidden, worse seen
    flat = np.broadcast_to(exact.mean(axis=(2, 3), keepdims=True), exact.shape)
    A, B = np.concatenate([exact, flat]), np.concatenate([maps(moved, model, (0.0,)), flat])
    free = sure_blend([Y], [noise], [A], [B], model=model)
    held = sure_blend([Y], [noise], [A], [B], model=model, guard=True)
    assert held.weights[1] <= free.weights[1]
    assert held.blended_risk >= free.blended_risk


def test_signs_of_directions_mean_nothing():
    Y, model, _ = scene(2, peak=True)
    signs = np.where(np.arange(model.channels) % 2, -1.0, 1.0)
    other = replace(
        model, factor=model.factor * signs, whiten=signs[:, None] * model.whiten, colour=model.colour * signs
    )
    one, two = (perturbed(Y, m, rng=np.random.default_rng(3))[0] for m in (model, other))
    np.testing.assert_allclose(one, two, atol=1e-5)
    np.testing.assert_allclose(blend_of(Y, model)[1].weights, blend_of(Y, other)[1].weights, atol=1e-3)


@pytest.mark.parametrize("peak", [False, True])
def test_odd_pixels_and_endmembers(peak):
    Y, model, _ = scene(3, peak=peak)
    Y[:, 4, 5], Y[7, 8], Y[:, 9, 9] = np.nan, np.nan, 0
    found = blend_of(Y, model)[1]
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.risk).all()
    again = blend_of(Y, model)[1]
    np.testing.assert_array_equal(again.weights, found.weights)
    np.testing.assert_array_equal(blend_of(np.full_like(Y, np.nan), model)[1].weights, [1, 0, 0])
    dark = blend_of(np.zeros_like(Y), model)[1].weights
    assert dark.sum() == pytest.approx(1)
    twins = vector_tv_model(np.c_[model.E, model.E[:, :1]], 0.05, peak=peak)
    assert np.isfinite(blend_of(Y, twins)[1].weights).all()
    if not peak:
        alone = vector_tv_model(model.E[:, :1], 0.05)
        np.testing.assert_array_equal(blend_of(Y, alone)[1].weights, [1, 0, 0])
    pixel = blend_of(Y[:, :1, :1], model)[1]
    assert pixel.weights.sum() == pytest.approx(1)


def test_what_does_not_fit_is_said():
    Y, model, _ = scene(0, peak=False)
    moved, noise = perturbed(Y, model, rng=np.random.default_rng(0))
    A = np.full((2, 4, SIZE, SIZE), 0.25)
    for call in (
        lambda: sure_blend([], [], [], [], model=model),
        lambda: sure_blend([Y], [noise], [A], [], model=model),
        lambda: sure_blend([Y], [noise[1:]], [A], [A], model=model),
        lambda: sure_blend([Y[1:]], [noise], [A], [A], model=model),
        lambda: sure_blend([Y], [noise], [A[:0]], [A[:0]], model=model),
        lambda: sure_blend([moved], [noise], [np.repeat(A, 4, axis=0)], [np.repeat(A, 4, axis=0)], model=model),
    ):
        with pytest.raises(ConfigError):
            call()
