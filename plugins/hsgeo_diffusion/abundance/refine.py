"""Ask the network: the posterior mean of a window's abundances, and samples of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from hsgeo.nn.diffusion import edm_levels
from hsgeo.nn.diffusion.ddim import ddim
from hsgeo.nn.simplex import onto_simplex
from hsgeo_diffusion.abundance.conditions import GUIDE, Conditions
from hsgeo_diffusion.abundance.network import HIGHEST, ResUNet2D, denoised

__all__ = ["CELL", "posterior_mean", "posterior_samples"]

CELL = 16
"""Sides of a window must be divisible by it: four halvings."""

# Samples of ten steps vary too little: times this, their 50, 80, 90 and 95 % intervals cover 52, 81, 90 and 95 % on six
# synthetic scenes of 10 to 30 dB (chosen on these; with five steps 46, 75, 86 and 92 %).
_SPREAD = 1.4
_HIGH, _LOW = 3.0, 0.03  # noise levels of sampling: from far more than corrections vary, to what nobody sees


def posterior_mean(
    network: ResUNet2D, inputs: Sequence[Conditions], *, turns: int = 1, guide: bool = True, device: str = "cpu"
) -> np.ndarray:
    """Estimate the mean of the abundances that a window can have, by one evaluation for each turn.

    Parameters
    ----------
    network : ResUNet2D
        Trained.
    inputs : sequence of Conditions
        Windows of equal shape, sides divisible by `CELL`.
    turns : {1, 2, 4, 8}
        Turned and mirrored versions whose answers are averaged.
    guide : bool
        Whether the network sees where pixels differ from their neighbours.
    device : {"cpu", "cuda"}
        Where it runs; on CUDA in bfloat16.

    Returns
    -------
    numpy.ndarray
        ``(window, endmember, y, x)`` float32, not negative, sum one; without meaning in invalid pixels.
    """
    closed, reach, model = _prepared(network, inputs, turns=turns, guide=guide, device=device)
    with torch.inference_mode():
        move = model(torch.zeros_like(closed), HIGHEST, None)
        return onto_simplex(closed + reach * move).cpu().numpy()


def posterior_samples(
    network: ResUNet2D,
    inputs: Sequence[Conditions],
    *,
    noise: Sequence[Callable[[int], np.ndarray]],
    steps: int,
    guide: bool = True,
    device: str = "cpu",
) -> np.ndarray:
    """Draw one sample of the abundances of each window (DDIM without further noise, Song et al., 2021).

    Parameters
    ----------
    network : ResUNet2D
        Trained.
    inputs : sequence of Conditions
        Windows of equal shape, sides divisible by `CELL`.
    noise : sequence of callable
        ``noise(step)`` gives ``(endmember, y, x)`` for each window, pinned to absolute pixels.
    steps : int
        Evaluations.
    guide : bool
        As in `posterior_mean`.
    device : {"cpu", "cuda"}
        Where it runs.

    Returns
    -------
    numpy.ndarray
        ``(window, endmember, y, x)`` float32, not negative, sum one.
    """
    closed, reach, model = _prepared(network, inputs, turns=1, guide=guide, device=device)
    with torch.inference_mode():
        start = torch.from_numpy(np.stack([draw(0) for draw in noise])).to(device)
        # around the mean, not around 0: at this level the mean is all that is known
        mean = model(torch.zeros_like(closed), HIGHEST, None)
        found = ddim(model, mean + _HIGH * start, levels=edm_levels(steps, low=_LOW, high=_HIGH))
        found = mean + _SPREAD * (found - mean)
        return onto_simplex(closed + reach * found).cpu().numpy()


def _prepared(
    network: ResUNet2D, inputs: Sequence[Conditions], *, turns: int, guide: bool, device: str
) -> tuple[Tensor, Tensor, Callable[[Tensor, float | Tensor, object], Tensor]]:
    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(c, name) for c in inputs])).to(device)

    maps, volume, correlation = stacked("maps"), stacked("volume"), stacked("correlation")
    if not guide:
        maps[:, :, GUIDE] = 0

    def model(x: Tensor, sigma: float | Tensor, cond: object) -> Tensor:
        level = torch.as_tensor(sigma, dtype=torch.float32, device=x.device).expand(len(x))
        total = torch.zeros_like(x)
        for turn in range(turns):
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                found = denoised(
                    network, _turned(x, turn), level, _turned(maps, turn), _turned(volume, turn), correlation
                )
            total += _back(found.float(), turn)
        return total / turns

    return stacked("closed"), stacked("reach"), model


def _turned(a: Tensor, turn: int) -> Tensor:
    """Turn number 0 to 7: mirrored first, then by a half, then by a quarter, so that few of them are far apart."""
    if turn & 1:
        a = a.flip(-1)
    if turn & 2:
        a = a.flip(-2)
    return a.transpose(-1, -2) if turn & 4 else a


def _back(a: Tensor, turn: int) -> Tensor:
    if turn & 4:
        a = a.transpose(-1, -2)
    if turn & 2:
        a = a.flip(-2)
    return a.flip(-1) if turn & 1 else a
