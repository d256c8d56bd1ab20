"""Data-consistent samplers and splitting against linear-Gaussian problems, whose posterior is closed form."""

import numpy as np
import pytest
import torch

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion import edm_levels
from hsgeo.nn.diffusion.consistent import diffpir, with_data
from hsgeo.nn.diffusion.heun import heun
from hsgeo.nn.diffusion.splitting import plug_and_play

SIZE, ROWS, NOISE = 4, 6, 0.2
EYE = torch.eye(SIZE, dtype=torch.float64)


def problem():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    prior = torch.from_numpy(turn @ np.diag([0.05, 0.2, 0.5, 1.0]) @ turn.T)
    operator = torch.from_numpy(rng.normal(size=(ROWS, SIZE)) * [1, 1, 0.1, 0.1])  # half of it hardly seen
    mean = torch.from_numpy(rng.normal(size=SIZE))
    truth = mean + torch.from_numpy(rng.normal(size=(3, SIZE))) @ torch.linalg.cholesky(prior).T
    data = truth @ operator.T + NOISE * torch.from_numpy(rng.normal(size=(3, ROWS)))
    return mean, prior, operator, data


M, C, H, Y = problem()


def model(x, sigma, cond):
    return M + (x - M) @ torch.linalg.solve(C + sigma**2 * EYE, C)


def data_step(z, rho):
    return torch.linalg.solve(H.T @ H + rho * EYE, (Y @ H + rho * z).T).T


def posterior(prior):
    """Mean and covariance of x given the data."""
    precise = H.T @ H / NOISE**2 + torch.linalg.inv(prior)
    side = Y @ H / NOISE**2 + torch.linalg.solve(prior, M)
    return torch.linalg.solve(precise, side.T).T, torch.linalg.inv(precise)


KEYS = {"data_step": data_step, "noise_level": NOISE}
START = torch.zeros_like(Y[:, :SIZE])


@pytest.mark.parametrize(("dual", "blur"), [(False, 0.3**2), (True, 0.0)])
def test_splitting_stands_still_on_the_posterior_mean(dual, blur):
    found = plug_and_play(model, START, levels=[0.3] * 300, dual=dual, **KEYS)
    torch.testing.assert_close(found, posterior(C + blur * EYE)[0], rtol=0, atol=1e-9)


def test_admm_keeps_its_multiplier_when_the_level_changes():
    there = plug_and_play(model, START, levels=[0.5] * 400, dual=True, **KEYS)
    found = plug_and_play(model, START, levels=[0.5] * 400 + [0.2] * 3, dual=True, **KEYS)
    torch.testing.assert_close(found, there, rtol=0, atol=1e-8)  # converged, nothing moves at another level


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_splitting_fulfils_the_condition_of_red(share):
    def shrink(x, sigma, cond):
        return x - 0.5 * torch.tanh(x - M)

    x = plug_and_play(shrink, START, levels=[0.3] * 3000, share=share, lam=2.0, **KEYS)
    pull = share * 2.0 * (NOISE / 0.3) ** 2 * (x - shrink(x, 0.3, None))
    torch.testing.assert_close((x @ H.T - Y) @ H + pull, torch.zeros_like(x), rtol=0, atol=1e-9)


def test_with_noise_the_denoiser_sees_what_it_was_trained_on():
    seen, noise = [], torch.ones_like(START)

    def watching(x, sigma, cond):
        seen.append((x.clone(), sigma, cond))
        return x

    plug_and_play(watching, START, levels=[0.5], noise=lambda step: step * noise, cond="told", **KEYS)
    assert torch.equal(seen[0][0], START + 0.5)
    assert seen[0][1:] == (0.5, "told")


def test_an_exact_data_step_makes_samples_of_the_posterior():
    def exact(z, rho):
        sigma = NOISE / np.sqrt(rho)
        left = torch.linalg.inv(C) + EYE / sigma**2  # of x given the state: what DiffPIR takes to be sigma
        return torch.linalg.solve(H.T @ H + NOISE**2 * left, (Y @ H + NOISE**2 * z @ left).T).T

    mean, covariance = posterior(C)
    listening = with_data(model, data_step=exact, noise_level=NOISE, floor=0.0)
    levels = edm_levels(60, low=0.003, high=50.0)
    torch.testing.assert_close(heun(listening, mean, levels=levels), mean)
    columns = [heun(listening, mean + 50 * EYE[i], levels=levels)[0] - mean[0] for i in range(SIZE)]
    root = torch.stack(columns, dim=1)
    torch.testing.assert_close(root @ root.T, covariance, rtol=0.02, atol=2e-4)


@pytest.mark.parametrize(("zeta", "within"), [(0.0, 0.4), (0.3, 0.25), (1.0, 0.06)])
def test_diffpir_comes_near_the_posterior_mean(zeta, within):
    # All is affine: the mean of the samples is the sample without noise. The rule for rho is right for small levels
    # only; what is done wrong at high ones is remembered unless the noise is fresh.
    mean, _ = posterior(C)
    keys = {"levels": edm_levels(30, low=0.02, high=5.0), "lam": 1.0, "floor": 0.0, **KEYS}
    found = diffpir(model, M.expand(3, -1), zeta=zeta, noise=lambda step: START, **keys)
    off, prior, data = (torch.linalg.norm(x - mean) for x in (found, M, data_step(START, 1e-9)))
    assert off < within * prior < within * data


def test_the_data_step_is_weighed_by_the_noise_and_left_out_below_it():
    weights = []

    def watching(z, rho):
        weights.append(rho)
        return z

    keys = {"data_step": watching, "noise_level": 0.5, "zeta": 0.0, "lam": 2.0}
    diffpir(model, START, levels=[2, 1, 0.5, 0.25, 0], **keys)
    assert weights == pytest.approx([2 * 0.5**2 / 4, 2 * 0.5**2])
    weights.clear()
    diffpir(model, START, levels=[1, 0.25, 0], floor=0.0, end_on_data=True, **keys)
    assert weights == pytest.approx([0.5, 8.0, 2.0])


def test_without_noise_the_data_are_kept():
    exact = torch.linalg.lstsq(H, Y.T).solution.T
    keys = {"data_step": data_step, "noise_level": 1e-6}
    noise = torch.ones_like(START)
    options = {"noise": lambda step: noise, "end_on_data": True, "lam": 1e-9}
    ended = diffpir(model, START, levels=[1, 0.1, 0.01, 0], **options, **keys)
    torch.testing.assert_close(ended, exact, rtol=0, atol=1e-5)
    torch.testing.assert_close(plug_and_play(model, START, levels=[1, 0.01], **keys), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: diffpir(model, START, levels=[1, 0], zeta=2, **KEYS), "0 to 1"),
        (lambda: diffpir(model, START, levels=[1, 0.5, 0], **KEYS), "Pass noise="),
        (lambda: diffpir(model, START, levels=[1, 0], data_step=data_step, noise_level=0), "noise_level is 0"),
        (lambda: diffpir(model, START, levels=[1, 0], lam=-1, **KEYS), "lam is -1"),
        (lambda: diffpir(model, START, levels=[1, 0], floor=-1, **KEYS), "floor is -1"),
        (lambda: diffpir(model, START, levels=[1, 0], **KEYS | {"data_step": lambda z, rho: z[:1]}), "shaped like z"),
        (lambda: with_data(model, **KEYS)(START, torch.ones(3), None), "one level for the whole batch"),
        (lambda: plug_and_play(model, START, levels=[0.1, 0.2], **KEYS), "none above"),
        (lambda: plug_and_play(model, START, levels=[0.1, 0.0], **KEYS), "above 0"),
        (lambda: plug_and_play(model, START, levels=[0.1], share=0, **KEYS), "share is 0"),
        (lambda: plug_and_play(model, START.int(), levels=[0.1], **KEYS), "floating-point"),
    ],
)
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ConfigError, match=said):
        call()
