"""Which device a kernel runs on: CUDA when the stage can and the machine has it, else the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["pick_device"]


def pick_device(able: Sequence[str]) -> str:
    """Choose among the devices a stage can run on; torch is asked only when CUDA is among them."""
    if "cuda" in able and find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return "cuda"
    return "cpu"
