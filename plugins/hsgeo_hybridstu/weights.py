"""Which network the stage uses."""

from __future__ import annotations

from hsgeo.plugin import StageNetwork

__all__ = ["NETWORK"]

NETWORK = StageNetwork(
    "hybridstu", "hybridstu-zero", "hsgeo_hybridstu.network:HybridSTU", "run with --recipe classical"
)
"""The shipped weights of the mode zero, or the user's."""
