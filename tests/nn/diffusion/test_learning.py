"""A tiny network, trained with each target, knows a distribution of two points: denoiser and samples."""

import numpy as np
import pytest
import torch
from torch import nn

from hsgeo.nn.diffusion import cosine_vp, edm_levels, lognormal_sigmas, table_sigmas
from hsgeo.nn.diffusion.ddim import ddim
from hsgeo.nn.diffusion.denoiser import TARGETS, Preconditioned
from hsgeo.nn.diffusion.heun import heun
from hsgeo.nn.diffusion.training import denoising_loss


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, scaled, label, cond):
        return self.layers(torch.cat([scaled, 4 * label[:, None], cond], dim=1))


def data(rng, count):
    """Points of -1 and +1 with equal probability or, where the condition is 1, +1 alone."""
    cond = rng.integers(0, 2, (count, 1)).astype(np.float32)
    sign = np.where((rng.random((count, 1)) < 0.5) & (cond == 0), -1, 1).astype(np.float32)
    return torch.from_numpy(sign), torch.from_numpy(cond)


def trained(target, *, steps=200, count=256):
    rng = np.random.default_rng(0)
    table = cosine_vp(200)
    table = table[(table > 0.05) & (table < 5)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Small()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2, betas=(0.9, 0.98))
    for step in range(steps):
        if target == "edm":
            sigma = lognormal_sigmas(count, rng=rng, mean=-0.4, low=0.05, high=5)
        else:
            sigma = table_sigmas(count, rng=rng, table=table)
        sigma = torch.from_numpy(sigma).float()
        x0, cond = data(rng, count)
        noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
        # what is hard to see is not more important: without weights, x0 is learnt at high levels only
        weights = (1 / sigma**2).clamp(1, 25)[:, None] if target == "x0" else None
        losses = denoising_loss(network, x0, cond, sigma=sigma, noise=noise, target=target, weights=weights)
        assert losses.shape == (count,)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - (step + 1) / steps)
    return Preconditioned(network.requires_grad_(False), target=target)


@pytest.mark.parametrize("target", TARGETS)
def test_two_points_are_learnt(target):
    model = trained(target)
    x = torch.linspace(-2, 2, 41)[:, None]
    for sigma in (0.5, 1.0):
        off = model(x, sigma, torch.zeros(41, 1)) - torch.tanh(x / sigma**2)  # the mean of two points given x
        assert off.square().mean().sqrt() < 0.2

    start = 5 * torch.from_numpy(np.random.default_rng(1).standard_normal((2000, 1), dtype=np.float32))
    levels = edm_levels(24, low=0.05, high=5)
    for sampler in (ddim, heun):
        both = sampler(model, start, levels=levels, cond=torch.zeros(2000, 1))
        assert ((both.abs() - 1).abs() < 0.2).float().mean() > 0.8
        assert (both > 0).float().mean() == pytest.approx(0.5, abs=0.06)
        one = sampler(model, start, levels=levels, cond=torch.ones(2000, 1))
        assert ((one - 1).abs() < 0.2).float().mean() > 0.95
