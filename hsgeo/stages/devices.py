"""Which device a kernel runs on: CUDA when the stage can and the machine has it, else the CPU."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

__all__ = ["pick_device"]


def pick_device(able: Sequence[str]) -> str:
    """Choose among the devices a stage can run on.

    torch is asked only when CUDA is among them and the machine has the driver: to import it takes 3 s and 185 MB.
    """
    if "cuda" in able and find_spec("torch") is not None and _driver():
        import torch

        if torch.cuda.is_available():
            return "cuda"
    return "cpu"


@cache
def _driver() -> bool:
    """Tell whether the library of the CUDA driver, which torch never brings along, can be loaded."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
