"""The algebra and physics of mixing: arrays in, arrays out.

Submodules load when first used: ``solvers``, ``simplex``, ``srf``, ``noise``, ``mnf``, ``stripes``,
``subspace``, ``metrics``, ``library``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["library", "metrics", "mnf", "noise", "simplex", "solvers", "srf", "stripes", "subspace"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"hsgeo.spectra.{name}")
    raise AttributeError(f"module 'hsgeo.spectra' has no attribute {name!r}")
