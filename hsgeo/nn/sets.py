"""Layers that see the endmembers of a scene as a set: any number of them, in any order."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SetBlock", "SetPool"]


class SetPool(nn.Module):
    """Let the endmembers of a scene know each other: mean, largest, and the message along the error's correlation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.common = nn.Conv2d(2 * width, width, 1)
        self.message = nn.Conv2d(width, width, 1, bias=False)
        with torch.no_grad():
            for weight in (*self.common.parameters(), *self.message.parameters()):
                weight.zero_()

    def forward(self, h: Tensor, others: Tensor) -> Tensor:
        """Take ``(batch * endmember, width, y, x)`` and ``others (batch, endmember, endmember)``."""
        batch, count = others.shape[:2]
        g = torch.unflatten(h, 0, (batch, count))
        common = self.common(torch.cat([g.mean(dim=1), g.amax(dim=1)], dim=1))
        # pixels side by side in memory: permuted, the message is one product and no copy
        m = self.message(h).permute(0, 2, 3, 1)
        told = torch.bmm(others.to(m.dtype), m.reshape(batch, count, -1)).view(m.shape).permute(0, 3, 1, 2)
        return h + told + common.unsqueeze(1).expand_as(g).flatten(0, 1)


class SetBlock(nn.Module):
    """Two convolutions around which the input passes, then a look at the other endmembers.

    There is no normalisation over space: it would make a pixel depend on its whole window, and show the windows.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.pool = SetPool(width)
        with torch.no_grad():
            for weight in self.second.parameters():
                weight.zero_()

    def forward(self, h: Tensor, others: Tensor) -> Tensor:
        """Take ``(batch * endmember, width, y, x)`` and ``others (batch, endmember, endmember)``."""
        h = h + self.second(functional.silu(self.first(functional.silu(h))))
        return self.pool(h, others)
