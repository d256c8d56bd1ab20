"""Onto the simplex with torch: abundances that are not negative and sum to one."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["onto_simplex"]


def onto_simplex(a: Tensor) -> Tensor:
    """Project onto the unit simplex, exactly (Held, Wolfe and Crowder, 1974); absent endmembers become 0.

    Parameters
    ----------
    a : torch.Tensor
        ``(batch, endmember, y, x)``.

    Returns
    -------
    torch.Tensor
        Nearest abundances that are not negative and sum to one.
    """
    down = a.sort(dim=1, descending=True).values
    rank = torch.arange(1, a.shape[1] + 1, device=a.device, dtype=a.dtype).view(1, -1, 1, 1)
    over = down.cumsum(dim=1) - 1
    count = (down * rank > over).sum(dim=1, keepdim=True).clamp(min=1)
    return (a - over.gather(1, count - 1) / count).clamp(min=0)
