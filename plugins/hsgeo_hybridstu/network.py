"""The network of the mode zero: 3-D over wavelength windows, 2-D over the ground, endmembers as a set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from hsgeo.nn.pixel_maps import MAPS
from hsgeo.nn.sets import SetBlock
from hsgeo.nn.spectral_volume import VOLUME

__all__ = ["ARCHITECTURE", "HybridSTU"]

ARCHITECTURE = "hybridstu-zero/1"
_FARTHEST = 4.0  # in units of the reach: noise that is further off is one in ten thousand


class HybridSTU(nn.Module):
    """Correct the closed-form abundances of a scene, for any sensor and any number of endmembers.

    Every endmember passes through the same weights; permuting them permutes the output.

    Parameters
    ----------
    widths : sequence of int
        Channels at full resolution, and after every halving.
    volume_widths : sequence of int
        Channels of the 3-D convolutions, each of which halves the number of wavelength windows.
    """

    def __init__(self, widths: Sequence[int] = (24, 40, 64, 96, 96), volume_widths: Sequence[int] = (12, 24)) -> None:
        super().__init__()
        steps = [VOLUME, *volume_widths]
        self.volume = nn.ModuleList(nn.Conv3d(a, b, 3, stride=(2, 1, 1), padding=1) for a, b in pairwise(steps))
        left = 16 // 2 ** len(volume_widths)
        self.flat = nn.Conv2d(volume_widths[-1] * left, widths[1], 1)
        self.stem = nn.Conv2d(MAPS, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.before = nn.ModuleList(SetBlock(w) for w in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.after = nn.ModuleList(SetBlock(a) for a, _ in pairs)
        self.last = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        for layer in self.modules():  # pixels side by side in memory: several times faster on a CPU
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
            elif isinstance(layer, nn.Conv3d):
                layer.to(memory_format=torch.channels_last_3d)

    def forward(self, maps: Tensor, volume: Tensor, correlation: Tensor) -> Tensor:
        """Give the correction in units of the reach.

        Parameters
        ----------
        maps : torch.Tensor
            ``(batch, endmember, MAPS, y, x)``; sides divisible by 2 to the number of halvings.
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
        v = volume.flatten(0, 1)
        v = v.contiguous(memory_format=torch.channels_last_3d)
        for layer in self.volume:
            v = functional.silu(layer(v))
        v = self.flat(v.flatten(1, 2))
        h = self.stem(maps.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        kept = []
        for level, block in enumerate(self.before):
            if level:
                kept.append(h)
                h = self.down[level - 1](h)
                if level == 1:
                    h = h + v
            h = block(h, others)
        for level in range(len(kept) - 1, -1, -1):
            h = kept[level] + functional.interpolate(self.up[level](h), scale_factor=2, mode="nearest")
            h = self.after[level](h, others)
        move = self.last(functional.silu(h)).float().view(batch, count, *maps.shape[3:])
        return move.clamp(-_FARTHEST, _FARTHEST)
