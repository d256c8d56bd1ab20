"""The network: a residual U-Net over the ground that knows spectrum and noise level, endmembers as a set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from hsgeo.nn.pixel_maps import MAPS
from hsgeo.nn.sets import SetPool
from hsgeo.nn.spectral_volume import VOLUME
from hsgeo_diffusion.abundance.conditions import CONDITIONS, FIRST

__all__ = ["ARCHITECTURE", "FARTHEST", "HIGHEST", "SIGMA_DATA", "ResUNet2D", "denoised"]

ARCHITECTURE = "abundance-diffusion/1"

FARTHEST = 4.0
"""Largest correction, in units of the reach: noise that is further off is one in ten thousand."""

SIGMA_DATA = 0.6
"""Standard deviation of the corrections, in units of the reach, over synthetic scenes of all noise levels."""

HIGHEST = 80.0
"""The noise level that stands for all above: nothing of the state is told, and the answer is the posterior mean."""

_STRAIGHT = slice(MAPS, FIRST + 1)  # the maps that are corrections themselves
_WAVES = 16  # frequencies of the embedding of the noise level


class _Block(nn.Module):
    """Two convolutions around which the input passes, turned up or down by the noise level; then the endmembers meet.

    There is no normalisation over space: it would make a pixel depend on its whole window, and show the windows.
    """

    def __init__(self, width: int, known: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.level = nn.Linear(known, 2 * width)
        self.pool = SetPool(width)
        for weight in (self.second.weight, self.second.bias, self.level.weight, self.level.bias):
            nn.init.zeros_(weight)

    def forward(self, h: Tensor, level: Tensor, others: Tensor) -> Tensor:
        """Take ``(batch * endmember, width, y, x)``, ``level (batch * endmember, known)`` and the correlations."""
        scale, shift = self.level(level)[..., None, None].chunk(2, dim=1)
        inner = self.first(functional.silu(h)) * (1 + scale) + shift
        return self.pool(h + self.second(functional.silu(inner)), others)


class ResUNet2D(nn.Module):
    """Tell the correction of closed-form abundances from conditions, a noisy correction, and how noisy it is.

    Every endmember passes through the same weights; permuting them permutes the output.

    Parameters
    ----------
    widths : sequence of int
        Channels at full resolution, and after every halving.
    volume_widths : sequence of int
        Channels of the 3-D convolutions, each of which halves the number of wavelength windows.
    known : int
        Length of the embedding of the noise level.
    """

    def __init__(
        self,
        widths: Sequence[int] = (24, 40, 64, 96, 96),
        volume_widths: Sequence[int] = (12, 24),
        known: int = 64,
    ) -> None:
        super().__init__()
        steps = [VOLUME, *volume_widths]
        self.volume = nn.ModuleList(nn.Conv3d(a, b, 3, stride=(2, 1, 1), padding=1) for a, b in pairwise(steps))
        left = 16 // 2 ** len(volume_widths)
        self.flat = nn.Conv2d(volume_widths[-1] * left, widths[1], 1)
        self.embed = nn.Sequential(nn.Linear(2 * _WAVES, known), nn.SiLU(), nn.Linear(known, known), nn.SiLU())
        self.stem = nn.Conv2d(CONDITIONS + 1, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.before = nn.ModuleList(_Block(w, known) for w in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.after = nn.ModuleList(_Block(a, known) for a, _ in pairs)
        self.last = nn.Conv2d(widths[0], 1, 3, padding=1)
        # straight from the smoothed maps and the first guess, at every level in its own mixture
        self.straight = nn.Linear(known, _STRAIGHT.stop - _STRAIGHT.start)
        for weight in (self.last.weight, self.last.bias, self.straight.weight, self.straight.bias):
            nn.init.zeros_(weight)
        for layer in self.modules():  # pixels side by side in memory: several times faster on a CPU
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
            elif isinstance(layer, nn.Conv3d):
                layer.to(memory_format=torch.channels_last_3d)

    def forward(self, state: Tensor, sigma: Tensor, maps: Tensor, volume: Tensor, correlation: Tensor) -> Tensor:
        """Give the network's raw answer.

        Parameters
        ----------
        state : torch.Tensor
            ``(batch, endmember, y, x)``: the noisy correction, scaled to about 1; 0 at the highest level.
        sigma : torch.Tensor
            ``(batch,)`` its noise level.
        maps : torch.Tensor
            ``(batch, endmember, CONDITIONS, y, x)``; sides divisible by 2 to the number of halvings.
        volume : torch.Tensor
            ``(batch, endmember, VOLUME, window, y / 2, x / 2)``.
        correlation : torch.Tensor
            ``(batch, endmember, endmember)``.

        Returns
        -------
        torch.Tensor
            ``(batch, endmember, y, x)`` float32.
        """
        batch, count = maps.shape[:2]
        others = correlation * (1 - torch.eye(count, device=maps.device, dtype=correlation.dtype))
        level = self.embed(_waves(sigma))
        straight = torch.einsum("bk,bpkyx->bpyx", self.straight(level).to(maps.dtype), maps[:, :, _STRAIGHT])
        level = level.repeat_interleave(count, dim=0)
        v = volume.flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)
        for layer in self.volume:
            v = functional.silu(layer(v))
        v = self.flat(v.flatten(1, 2))
        h = torch.cat([maps, state.unsqueeze(2)], dim=2).flatten(0, 1)
        h = self.stem(h.contiguous(memory_format=torch.channels_last))
        kept = []
        for place, block in enumerate(self.before):
            if place:
                kept.append(h)
                h = self.down[place - 1](h)
                if place == 1:
                    h = h + v
            h = block(h, level, others)
        for place in range(len(kept) - 1, -1, -1):
            h = kept[place] + functional.interpolate(self.up[place](h), scale_factor=2, mode="nearest")
            h = self.after[place](h, level, others)
        found = self.last(functional.silu(h)).float().view(batch, count, *maps.shape[3:])
        return (found + straight.float()) / SIGMA_DATA


def _waves(sigma: Tensor) -> Tensor:
    """Embed ``ln(sigma) / 4`` by sines and cosines from slow to fast, ``(batch, 2 * _WAVES)``."""
    place = torch.log(sigma.float()) / 4
    turn = place[:, None] * torch.logspace(-0.5, 1.0, _WAVES, device=sigma.device)
    return torch.cat([turn.sin(), turn.cos()], dim=1)


def denoised(network: nn.Module, x: Tensor, sigma: Tensor, maps: Tensor, volume: Tensor, correlation: Tensor) -> Tensor:
    """Tell the mean correction given a noisy one (Karras et al., 2022, equation 7).

    Parameters
    ----------
    network : ResUNet2D
        The network.
    x : torch.Tensor
        ``(batch, endmember, y, x)``: correction plus ``sigma`` times noise, in units of the reach; of no account where
        ``sigma`` is `HIGHEST` or above.
    sigma : torch.Tensor
        ``(batch,)``.
    maps, volume, correlation : torch.Tensor
        As in `ResUNet2D.forward`.

    Returns
    -------
    torch.Tensor
        ``(batch, endmember, y, x)``, at most `FARTHEST`.
    """
    s = sigma.float().clamp(max=HIGHEST).view(-1, 1, 1, 1)
    size = (s * s + SIGMA_DATA**2).sqrt()
    told = s < HIGHEST
    state = torch.where(told, x / size, torch.zeros_like(x))
    raw = network(state, s.flatten(), maps, volume, correlation)
    kept = torch.where(told, SIGMA_DATA**2 / size**2, torch.zeros_like(s))
    answer = kept * x.nan_to_num() + torch.where(told, s / size, torch.ones_like(s)) * SIGMA_DATA * raw
    return answer.clamp(-FARTHEST, FARTHEST)
