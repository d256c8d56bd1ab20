"""Vectorial total variation against a convex solver, and what its smoothing of abundances may not do."""

from dataclasses import replace

import cvxpy
import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.spectra.solvers import choose_weight, fcls, scls, solve_vector_tv, vector_rof, vector_tv, vector_tv_model
from hsgeo.synthetic import random_field, random_spectra

BANDS = 30


def scene(seed=0, *, size=24, count=3, noise=0.02, light=0.0):
    rng = np.random.default_rng(seed)
    E = random_spectra(rng, count, np.linspace(420, 2400, BANDS)).astype(np.float64)
    A = np.moveaxis(np.asarray(random_field(rng, size, size, count)), 0, -1).astype(np.float64)
    gain = np.exp(light * rng.standard_normal((size, size, 1)))
    return gain * (A @ E.T) + noise * rng.standard_normal((size, size, BANDS)), E, A


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


def test_rof_is_the_minimiser_around_missing_pixels():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((7, 6, 3))
    image[:, 3:] += 2
    image[2, 4], image[5, 0, 1] = np.nan, np.inf
    valid = np.isfinite(image).all(axis=2)
    u = [cvxpy.Variable((7, 6)) for _ in range(3)]
    cost = sum(0.5 * cvxpy.sum_squares(u[k][valid] - image[valid, k]) for k in range(3))
    for i, j in np.argwhere(valid):
        near = [(i + a, j + b) for a, b in ((1, 0), (0, 1)) if i + a < 7 and j + b < 6 and valid[i + a, j + b]]
        if near:
            cost += 0.8 * cvxpy.norm(cvxpy.hstack([u[k][q] - u[k][i, j] for q in near for k in range(3)]))
    cvxpy.Problem(cvxpy.Minimize(cost)).solve(solver=cvxpy.CLARABEL)
    found = vector_rof(image, 0.8, rounds=2000)
    np.testing.assert_allclose(found[valid], np.stack([x.value for x in u], -1)[valid], atol=2e-3)
    assert np.isnan(found[~valid]).all()
    early = vector_rof(image, 0.8)
    assert rmse(early[valid], found[valid]) < 0.02
    np.testing.assert_array_equal(vector_rof(image, 0.0)[valid], image[valid].astype(np.float32))


def test_rof_turns_with_its_channels():
    rng = np.random.default_rng(1)
    image, turn = rng.standard_normal((9, 8, 4)), np.linalg.qr(rng.standard_normal((4, 4)))[0]
    np.testing.assert_allclose(vector_rof(image @ turn, 0.5), vector_rof(image, 0.5) @ turn, atol=1e-5)


@pytest.mark.parametrize("peak", [False, True])
def test_without_smoothing_or_noise_it_is_the_closed_form(peak):
    Y, E, _ = scene(noise=0.01, light=0.2 * peak)
    Y = Y.astype(np.float32)
    Y[3, 4, 5:9], Y[7, 7] = np.nan, np.nan
    flat = Y.reshape(-1, BANDS)
    closed = scls(flat, E)[0] if peak else fcls(flat, E)
    none = vector_tv(Y, E, noise=0.01, weight=0.0, peak=peak)
    whole = np.isfinite(flat).all(axis=1)
    np.testing.assert_array_equal(none.A.reshape(closed.shape)[whole], closed[whole])
    np.testing.assert_allclose(none.A.reshape(closed.shape), closed, atol=2e-5)
    hardly = vector_tv(Y, E, noise=1e-8, weight=1.0, peak=peak)
    np.testing.assert_allclose(hardly.A.reshape(closed.shape), closed, atol=2e-5)
    assert np.isnan(none.A[7, 7]).all()


@pytest.mark.parametrize("peak", [False, True])
def test_the_order_of_endmembers_means_nothing(peak):
    Y, E, _ = scene(2, count=4)
    noise, order = np.linspace(0.01, 0.03, BANDS), [2, 0, 3, 1]
    one, other = (vector_tv(Y, F, noise=noise, weight=1.0, peak=peak).A for F in (E, E[:, order]))
    np.testing.assert_allclose(other, one[..., order], atol=1e-4)


@pytest.mark.parametrize("peak", [False, True])
def test_the_chosen_weight_is_nearly_the_best(peak):
    ratios = []
    for seed in range(3):
        Y, E, A = scene(seed, size=64, count=4, noise=0.04, light=0.15 * peak)
        Y = Y.astype(np.float32)
        model = vector_tv_model(E, 0.04, peak=peak)
        patches = [np.moveaxis(Y, -1, 0)]
        found = choose_weight(patches, model, rng=np.random.default_rng(seed))
        errors = [rmse(vector_tv(Y, E, noise=0.04, weight=w, peak=peak).A, A) for w in found.weights]
        ratios.append(errors[list(found.weights).index(found.weight)] / min(errors))
        assert errors[list(found.weights).index(found.weight)] < 0.9 * errors[0]
    again = choose_weight(patches, model, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(again.abundance, found.abundance)
    assert max(ratios) < 1.1


def test_the_signs_of_directions_do_not_choose():
    # which depend on the processor: with noise drawn along them, nearly equal weights changed places
    Y, E, _ = scene(2, size=48, count=4, noise=0.04, light=0.15)
    model, patch = vector_tv_model(E, 0.04, peak=True), np.moveaxis(Y.astype(np.float32), -1, 0)
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    other = replace(
        model, factor=model.factor * signs, whiten=signs[:, None] * model.whiten, colour=model.colour * signs
    )
    one, two = (
        choose_weight([patch], m, rng=np.random.default_rng(0), weights=(1.0, 2.8, 4.0)) for m in (model, other)
    )
    assert one.weight == two.weight
    np.testing.assert_allclose(one.abundance, two.abundance, rtol=1e-3)


def test_stein_estimates_the_error_itself():
    Y, E, A = scene(3, size=64, noise=0.03)
    model = vector_tv_model(E, 0.03)
    found = choose_weight([np.moveaxis(Y, -1, 0)], model, rng=np.random.default_rng(0), weights=(0.5, 1.0, 2.0))
    true = [((vector_tv(Y, E, noise=0.03, weight=w).A - A) ** 2).sum(axis=-1).mean() for w in found.weights]
    np.testing.assert_allclose(np.diff(found.abundance), np.diff(true), atol=0.1 * (max(true) - min(true)))


def test_a_scene_of_nothing_but_texture_is_left_alone():
    rng = np.random.default_rng(4)
    E = random_spectra(rng, 3, np.linspace(420, 2400, BANDS)).astype(np.float64)
    Y = rng.dirichlet(np.full(3, 0.2), (32, 32)) @ E.T + 1e-3 * rng.standard_normal((32, 32, BANDS))
    found = choose_weight([np.moveaxis(Y, -1, 0)], vector_tv_model(E, 1e-3), rng=rng)
    assert found.weight <= 0.25


@pytest.mark.parametrize("peak", [False, True])
def test_odd_endmembers_and_pixels(peak):
    Y, E, _ = scene(5, size=8)
    twins = np.c_[E, E[:, :1]]
    A = vector_tv(Y, twins, noise=0.02, peak=peak).A
    np.testing.assert_allclose(A[..., 0], A[..., 3], atol=1e-4)
    assert choose_weight([np.moveaxis(Y, -1, 0)], vector_tv_model(twins, 0.02), rng=np.random.default_rng(0)).weight > 0
    one = vector_tv(Y, E[:, :1], noise=0.02, peak=peak)
    np.testing.assert_array_equal(one.A, 1)
    pixel = vector_tv(Y[:1, :1], E, noise=0.02, peak=peak)
    np.testing.assert_allclose(pixel.A[0], (scls(Y[0, :1], E)[0] if peak else fcls(Y[0, :1], E)), atol=1e-6)
    Y[2, 2] = 0
    black = vector_tv(Y, E, noise=0.02, weight=2.0, peak=peak)
    assert np.isnan(black.A[2, 2]).all() == peak
    if peak:
        assert black.gain[2, 2] == 0
    Y[..., 4] = np.nan  # a dead band
    assert np.isfinite(vector_tv(Y, E, noise=0.02, peak=peak).A.sum(axis=-1)).sum() == 64 - peak
    nothing = np.full((BANDS, 3, 3), np.nan)
    model = vector_tv_model(E, 0.02, peak=peak)
    assert np.isnan(solve_vector_tv(nothing, model, weight=1.0)[0]).all()
    assert choose_weight([nothing], model, rng=np.random.default_rng(0)).weight == 0


def test_what_cannot_be_solved_is_said():
    Y, E, _ = scene(size=4)
    for call in (
        lambda: vector_tv(Y[0], E, noise=0.1),
        lambda: vector_tv(Y, E, noise=0.0),
        lambda: vector_tv(Y, E, noise=np.full(4, 0.1)),
        lambda: vector_tv(Y, E, noise=0.1, weight=-1),
        lambda: vector_tv(Y, E, noise=0.1, weight=0, rounds=0),
        lambda: solve_vector_tv(Y, vector_tv_model(E, 0.1), weight=1.0),
        lambda: vector_rof(Y[0], 1.0),
        lambda: choose_weight([], vector_tv_model(E, 0.1), rng=np.random.default_rng(0)),
        lambda: calibrated_noise(Y),
    ):
        with pytest.raises(ConfigError):
            call()
