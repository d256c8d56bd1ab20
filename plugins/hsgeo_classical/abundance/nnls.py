"""The stage ``nnls``: non-negative abundances, sum free."""

from __future__ import annotations

from hsgeo_classical.abundance.stage import AbundanceStage

__all__ = ["Nnls"]


class Nnls(AbundanceStage):
    """Estimate non-negative abundances, sum free (`hsgeo.spectra.solvers.nnls`)."""

    constraint = "nnls"
    total = "free"
    range = (0.0, float("inf"))
