"""The network of the endmember prior: a one-dimensional U-Net that takes the noise out of a spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ARCHITECTURE", "CENTRE", "LARGEST", "SPREAD", "SpectrumDenoiser"]

ARCHITECTURE = "endmember-prior/1"
CENTRE, SPREAD = 0.9, 0.5  # mean and standard deviation of spectra of root mean square 1, over the grid
LARGEST = 20.0  # noise that drowns every spectrum: a grid point with it is not seen
_CELL = 4  # grid points: two halvings
_EMBEDDED = 64


class SpectrumDenoiser(nn.Module):
    """Take the noise out of spectra on the grid, each point of which has its own level.

    A point that no band sees has the level `LARGEST`, so that one network serves every sensor, completes what is
    missing, and is a diffusion prior: a measured value and a state of the diffusion are two observations of a point,
    as good as one with their weighted mean and their joint precision.

    Parameters
    ----------
    widths : sequence of int
        Channels at full resolution, and after every halving.
    kernel : int
        Grid points of a convolution, odd.
    """

    def __init__(self, widths: Sequence[int] = (24, 48, 96), kernel: int = 5) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.told = nn.Sequential(nn.Linear(6, _EMBEDDED), nn.SiLU(), nn.Linear(_EMBEDDED, _EMBEDDED), nn.SiLU())
        self.stem = nn.Conv1d(4, widths[0], kernel, padding=kernel // 2)
        self.before = nn.ModuleList(_Block(a, kernel) for a, _ in pairs)
        self.down = nn.ModuleList(nn.Conv1d(a, b, 2, stride=2) for a, b in pairs)
        self.deep = nn.ModuleList(_Block(widths[-1], kernel) for _ in range(2))
        self.look = _Look(widths[-1])
        self.up = nn.ModuleList(nn.Conv1d(b, a, 1) for a, b in pairs)
        self.after = nn.ModuleList(_Block(a, kernel) for a, _ in pairs)
        self.last = nn.Conv1d(widths[0], 1, kernel, padding=kernel // 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, level: Tensor, fwhm: Tensor) -> Tensor:
        """Estimate clean spectra (Karras et al. 2022, equation 7, point by point).

        Parameters
        ----------
        x : torch.Tensor
            ``(batch, 211)`` spectra of root mean square about 1, with noise.
        level : torch.Tensor
            ``(batch, 211)`` its standard deviation, up to `LARGEST`.
        fwhm : torch.Tensor
            ``(batch, 211)`` resolution, nm.

        Returns
        -------
        torch.Tensor
            ``(batch, 211)`` posterior means.
        """
        total = torch.sqrt(level**2 + SPREAD**2)
        told = torch.log(level / SPREAD) / 4
        seen = (level < LARGEST).to(x.dtype)
        shown = torch.stack([(x - CENTRE) / total, told, seen, fwhm / 50], dim=1)
        sums = [told.mean(1), told.amin(1), told.amax(1), (told * seen).sum(1) / seen.sum(1).clamp_min(1), seen.mean(1)]
        e = self.told(torch.stack([*sums, fwhm.mean(1) / 50], dim=1))
        count = x.shape[1]
        h = self.stem(functional.pad(shown, (0, -count % _CELL), mode="replicate"))
        kept = []
        for block, down in zip(self.before, self.down, strict=True):
            h = block(h, e)
            kept.append(h)
            h = down(h)
        h = self.deep[1](self.look(self.deep[0](h, e)), e)
        for block, up, side in zip(reversed(self.after), reversed(self.up), reversed(kept), strict=True):
            h = block(functional.interpolate(up(h), scale_factor=2.0, mode="nearest") + side, e)
        out = self.last(functional.silu(h))[:, 0, :count].float()
        return CENTRE + (SPREAD / total) ** 2 * (x - CENTRE) + level * SPREAD / total * out


class _Block(nn.Module):
    """Two convolutions around which the input passes, scaled and shifted by what is told of the noise."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.first = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.second = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.told = nn.Linear(_EMBEDDED, 2 * width)
        for layer in (self.second, self.told):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        scale, shift = self.told(e).unsqueeze(-1).chunk(2, dim=1)
        inner = self.first(functional.silu(self.norm[0](h)))
        inner = self.norm[1](inner) * (1 + scale) + shift
        return h + self.second(functional.silu(inner))


class _Look(nn.Module):
    """Attention over the whole spectrum at its coarsest, with a learnt place for every point."""

    def __init__(self, width: int, places: int = 53) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, width, places) * 0.02)
        self.norm = nn.GroupNorm(8, width)
        self.asked = nn.Conv1d(width, 3 * width, 1)
        self.told = nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)

    def forward(self, h: Tensor) -> Tensor:
        parts = self.asked(self.norm(h + self.place)).unflatten(1, (3, 4, -1)).transpose(-1, -2).unbind(1)
        seen = functional.scaled_dot_product_attention(*parts)
        return h + self.told(seen.transpose(-1, -2).flatten(1, 2))
