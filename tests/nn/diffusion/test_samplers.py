"""Samplers against what is known in closed form: Gaussian data, whose denoiser, flow and moments are exact."""

import numpy as np
import pytest
import torch

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion import alpha_bar_of, edm_levels, linear_vp, sub_levels
from hsgeo.nn.diffusion.ddim import ddim
from hsgeo.nn.diffusion.ddpm import ddpm
from hsgeo.nn.diffusion.heun import heun

MEAN = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64)
STD = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)


def model(x, sigma, cond):
    return MEAN.to(x) + STD.to(x) ** 2 / (STD.to(x) ** 2 + sigma**2) * (x - MEAN.to(x))


def noises(count, *, batch=5, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count + 2, batch, 3)))


def moments(sampler, levels, **options):
    """Mean and variance of a sampler's results: it is affine in the noises, so each is fed alone."""
    steps = len(levels)
    unit = torch.eye(steps + 1, dtype=torch.float64)[:, :, None].expand(-1, -1, 3)  # the last row stays without noise

    def noise(step):
        return unit[step]

    found = sampler(model, MEAN + levels[0] * noise(0), levels=levels, noise=noise, **options)
    return found[-1], (found[:-1] - found[-1]).square().sum(dim=0)


def flow(x, *, high, low):
    """Where the probability flow leads exactly."""
    return MEAN + (x - MEAN) * torch.sqrt((STD**2 + low**2) / (STD**2 + high**2))


@pytest.mark.parametrize(
    ("sampler", "options", "steps", "within"),
    [
        (ddim, {}, 400, 0.02),
        (ddim, {"eta": 0.5}, 400, 0.03),
        (ddim, {"eta": 1.0}, 400, 0.04),  # methods of order one: halved with every doubling of the steps
        (ddpm, {}, 400, 0.04),
        (heun, {}, 60, 0.012),
        (heun, {"churn": 20.0}, 120, 0.012),
    ],
)
def test_samples_have_the_mean_and_variance_of_the_data(sampler, options, steps, within):
    mean, variance = moments(sampler, edm_levels(steps, low=0.01, high=200.0), **options)
    torch.testing.assert_close(mean, MEAN)
    torch.testing.assert_close(variance, STD**2, rtol=within, atol=0)


def test_the_upper_variance_makes_ddpm_exact_in_few_steps():
    levels = [100.0, 3.0, 1.0, 0.3, 0.05]
    for index, std in enumerate(STD):
        _, exact = moments(ddpm, levels, sigma_data=float(std))
        blurred = std**2 + levels[-1] ** 2
        assert exact[index] == pytest.approx(float(blurred), rel=1e-3)  # of the start, 100**2 for 100**2 + std**2
        _, narrow = moments(ddpm, levels)
        assert narrow[index] < 0.9 * blurred  # so few steps show in the lower one


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (heun, 2)])
def test_the_flow_is_followed_with_the_order_of_the_method(sampler, order):
    start = 20 * noises(1)[0]
    errors = []
    for steps in (20, 40, 80):
        levels = edm_levels(steps, low=0.1, high=20.0)[:-1]  # a last level above zero: the flow is known there too
        found = sampler(model, start, levels=levels)
        errors.append(float((found - flow(start, high=20.0, low=0.1)).abs().max()))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_has_the_numbers_of_the_paper(eta):
    levels = sub_levels(linear_vp(100), n=7, spacing="quad")
    share, noise = np.append(alpha_bar_of(levels[:-1]), 1.0), noises(7)
    vp = noise[0]
    for step in range(7):
        now, then = share[step], share[step + 1]
        x0 = model(vp / np.sqrt(now), levels[step], None)
        epsilon = (vp - np.sqrt(now) * x0) / np.sqrt(1 - now)
        fresh = eta * np.sqrt((1 - then) / (1 - now)) * np.sqrt(1 - now / then)  # eq. 16
        vp = np.sqrt(then) * x0 + np.sqrt(1 - then - fresh**2) * epsilon + fresh * noise[step + 1]  # eq. 12
    start = noise[0] / np.sqrt(share[0])
    torch.testing.assert_close(ddim(model, start, levels=levels, eta=eta, noise=lambda step: noise[step]), vp)


def test_ddpm_has_the_numbers_of_the_paper_and_is_ddim_with_all_its_noise():
    table = linear_vp(12, beta=(1e-3, 0.5))
    noise = noises(12)
    share = alpha_bar_of(table)
    vp = noise[0]
    for t in range(11, -1, -1):
        before = share[t - 1] if t else 1.0
        alpha = share[t] / before
        x0 = model(vp / np.sqrt(share[t]), table[t], None)
        mean = np.sqrt(before) * (1 - alpha) / (1 - share[t]) * x0 + np.sqrt(alpha) * (1 - before) / (1 - share[t]) * vp
        variance = (1 - before) / (1 - share[t]) * (1 - alpha)  # eq. 7
        vp = mean + np.sqrt(variance) * noise[12 - t]
    levels = np.append(table[::-1], 0)
    start = noise[0] / np.sqrt(share[-1])
    found = ddpm(model, start, levels=levels, noise=lambda step: noise[step])
    torch.testing.assert_close(found, vp)
    torch.testing.assert_close(ddim(model, start, levels=levels, eta=1, noise=lambda step: noise[step]), found)


@pytest.mark.parametrize(
    ("sampler", "options", "asked"),
    [
        (ddim, {}, []),
        (ddim, {"eta": 0.5}, [1, 2]),
        (ddpm, {}, [1, 2]),
        (heun, {}, []),
        (heun, {"churn": 1.0}, [1, 2, 3]),
        (heun, {"churn": 1.0, "churn_range": (0.5, 2.0)}, [2]),
    ],
)
def test_noise_is_asked_for_once_and_by_the_number_of_its_level(sampler, options, asked):
    seen, noise = [], noises(3).float()

    def counting(step):
        seen.append(step)
        return noise[step]

    start = 4 * noise[0].requires_grad_()
    whole = sampler(model, start, levels=[4, 1, 0.2, 0], noise=counting, **options)
    assert seen == asked
    assert whole.dtype == torch.float32
    assert not whole.requires_grad
    part = sampler(model, start[1:3], levels=[4, 1, 0.2, 0], noise=lambda step: noise[step][1:3], **options)
    assert torch.equal(part, whole[1:3])  # an example alone, in every bit


def test_one_evaluation_is_the_posterior_mean_and_cond_reaches_the_model():
    start, told = 80 * noises(1)[0].float(), []

    def listening(x, sigma, cond):
        told.append((sigma, cond))
        return model(x, sigma, None)

    for sampler in (ddim, heun):
        found = sampler(listening, start, levels=[80, 0], cond="guide")
        assert torch.equal(found, model(start, 80.0, None))
    assert told == [(80.0, "guide")] * 2
    found = ddpm(listening, start, levels=[80, 0], noise=noises)
    assert torch.equal(found, model(start, 80.0, None))
    assert told[-1] == (80.0, None)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: ddim(model, x, levels=[0, 1]), "each below"),
        (lambda x: ddim(model, x, levels=[1, 0], eta=1.5), "0 to 1"),
        (lambda x: ddim(model, x, levels=[1, 0], eta=float("nan")), "0 to 1"),
        (lambda x: ddim(model, x, levels=[2, 1, 0], eta=1), "Pass noise="),
        (lambda x: ddim(model, x.int(), levels=[1, 0]), "floating-point"),
        (lambda x: ddim(lambda x, s, c: x[:1], x, levels=[1, 0]), "shaped like the state"),
        (lambda x: ddpm(model, x, levels=[2, 1, 0], noise=lambda step: x[:1]), "in step 1"),
        (lambda x: ddpm(model, x, levels=[2, 1, 0], noise=noises, sigma_data=0), "above 0"),
        (lambda x: heun(model, x, levels=[2, 1, 0], churn=-1), "0 or more"),
        (lambda x: heun(model, x, levels=[2, 1, 0], churn_range=(2, 1)), "least <= most"),
        (lambda x: heun(model, x, levels=[2, 1, 0], churn_noise=0), "above 0"),
    ],
)
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ConfigError, match=said):
        call(torch.ones(2, 3))


def test_churn_raises_the_level_by_its_share_and_at_most_by_the_root_of_two():
    start, seen = torch.ones(2, 3), []

    def watching(x, sigma, cond):
        seen.append(sigma)
        return x

    for churn, rise in ((0.4, 0.2), (5.0, np.sqrt(2) - 1)):  # of algorithm 2: churn shared out over two steps
        seen.clear()
        heun(watching, start, levels=[3, 1, 0], churn=churn, noise=lambda step: start)
        assert seen == pytest.approx([3 * (1 + rise), 1, 1 + rise])


def test_what_is_not_a_number_stays_where_it_is():
    start = torch.ones(3, 3, dtype=torch.float64)
    start[1, 2] = float("nan")
    found = heun(model, start, levels=edm_levels(5, high=2.0))
    assert torch.isnan(found).nonzero().tolist() == [[1, 2]]
