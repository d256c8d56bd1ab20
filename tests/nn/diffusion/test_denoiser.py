"""Predictions and clean tensors are turned into each other, as the papers say, at every level."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion.denoiser import TARGETS, Preconditioned, from_x0, scaling, to_x0
from hsgeo.nn.diffusion.training import denoising_loss, wanted

SIGMAS = torch.tensor([0.003, 0.5, 30.0], dtype=torch.float64)


def parts(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn((3, 2, 4), generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))


@settings(max_examples=60)
@given(st.sampled_from(TARGETS), st.floats(1e-3, 1e3), st.floats(0.1, 10), st.floats(-5, 5), st.floats(-5, 5))
def test_predictions_go_there_and_back(target, sigma, sigma_data, value, noise):
    x0, n = torch.tensor([[value]], dtype=torch.float64), torch.tensor([[noise]], dtype=torch.float64)
    x = x0 + sigma * n
    keys = {"x": x, "sigma": sigma, "target": target, "sigma_data": sigma_data}
    prediction = from_x0(x0, **keys)
    torch.testing.assert_close(to_x0(prediction, **keys), x0, rtol=0, atol=1e-9 * (1 + sigma))
    exact = wanted(x0, sigma=sigma, noise=n, target=target, sigma_data=sigma_data)
    # the quotient loses the digits by which x0 is more than c_out, and than c_skip x
    torch.testing.assert_close(prediction, exact, rtol=0, atol=1e-10 * (1 + sigma + 1 / sigma) * 10)


def test_the_targets_are_those_of_the_variance_preserving_papers():
    x0, n = parts()
    sigma = SIGMAS[:, None, None]
    alpha, beta = 1 / torch.sqrt(1 + sigma**2), sigma / torch.sqrt(1 + sigma**2)
    vp = alpha * x0 + beta * n
    keys = {"x": x0 + sigma * n, "sigma": SIGMAS}
    torch.testing.assert_close(to_x0(n, **keys, target="epsilon"), (vp - beta * n) / alpha)  # Ho et al., eq. 15
    v = alpha * n - beta * x0
    torch.testing.assert_close(to_x0(v, **keys, target="v"), alpha * vp - beta * v)  # Salimans and Ho, appendix D
    seen = []
    Preconditioned(lambda scaled, label, cond: seen.append((scaled, label, cond)) or scaled, target="v")(**keys, cond=7)
    torch.testing.assert_close(seen[0][0], vp)
    torch.testing.assert_close(seen[0][1], torch.log(SIGMAS) / 4)
    assert seen[0][2] == 7


def test_edm_s_weights_give_input_and_target_unit_variance():
    x0, n = parts()
    for sigma_data in (0.2, 1.0):
        skip, out = scaling(SIGMAS, target="edm", sigma_data=sigma_data)
        # of Karras et al., appendix B.6: the output scale is the error of the best linear denoiser
        torch.testing.assert_close(out**2, (SIGMAS * sigma_data) ** 2 / (SIGMAS**2 + sigma_data**2))
        torch.testing.assert_close((1 - skip) ** 2 * sigma_data**2 + (skip * SIGMAS) ** 2, out**2)
        edm = wanted(x0, sigma=SIGMAS, noise=n, target="edm", sigma_data=sigma_data)
        torch.testing.assert_close(edm, -wanted(x0, sigma=SIGMAS, noise=n, target="v", sigma_data=sigma_data))


@pytest.mark.parametrize("target", TARGETS)
def test_a_perfect_network_is_a_perfect_denoiser_and_has_no_loss(target):
    x0, n = parts(torch.float32)
    sigma = SIGMAS.float()
    truth = wanted(x0, sigma=sigma, noise=n, target=target, sigma_data=0.7)
    model = Preconditioned(lambda scaled, label, cond: truth, sigma_data=0.7, target=target)
    x = x0 + sigma[:, None, None] * n
    torch.testing.assert_close(model(x, sigma), x0, rtol=0, atol=5e-6)
    one, many = model(x, 0.5), model(x, torch.full((3,), 0.5))
    torch.testing.assert_close(one, many)

    keys = {"sigma": sigma, "noise": n, "target": target, "sigma_data": 0.7}
    assert torch.equal(denoising_loss(lambda s, t, c: truth, x0, **keys), torch.zeros(3))
    off = denoising_loss(lambda s, t, c: truth + torch.tensor([0.0, 1.0, 2.0])[:, None, None], x0, **keys)
    torch.testing.assert_close(off, torch.tensor([0.0, 1.0, 4.0]))
    mask = torch.tensor([1.0, 0.0, 0.0, 0.0])
    masked = denoising_loss(lambda s, t, c: truth + (1 - mask), x0, **keys, weights=mask)
    assert torch.equal(masked, torch.zeros(3))
    half = denoising_loss(lambda s, t, c: truth.bfloat16() + 4, x0, **keys, weights=mask)  # as under autocast
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, torch.full((3,), 4.0), rtol=0.02, atol=0)


def echo(scaled, label, cond):
    return scaled


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: Preconditioned(echo, target="score"), "epsilon, v, x0, edm"),
        (lambda x: Preconditioned(echo, sigma_data=0), "above 0"),
        (lambda x: Preconditioned(echo)(x, 0.0), "above 0"),
        (lambda x: Preconditioned(echo)(x, torch.tensor([1.0, float("nan"), 1.0])), "above 0"),
        (lambda x: Preconditioned(echo)(x, torch.ones(2)), r"\(3,\)"),
        (lambda x: Preconditioned(echo)(x.int(), 1.0), "floating point"),
        (lambda x: Preconditioned(lambda s, t, c: s[:1])(x, 1.0), "shaped like the input"),
        (lambda x: denoising_loss(echo, x, sigma=1.0, noise=x[:1]), "noise shaped"),
        (lambda x: denoising_loss(echo, x, sigma=1.0, noise=x, weights=torch.ones(5)), "broadcast"),
        (lambda x: denoising_loss(echo, x, sigma=1.0, noise=x, weights=torch.ones(2, 3, 2, 4)), "broadcast"),
    ],
)
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ConfigError, match=said):
        call(torch.ones(3, 2, 4))
