"""The stage ``fcls``: non-negative abundances that sum to one."""

from __future__ import annotations

from hsgeo_classical.abundance.stage import AbundanceStage

__all__ = ["Fcls"]


class Fcls(AbundanceStage):
    """Estimate non-negative abundances that sum to one (`hsgeo.spectra.solvers.fcls`)."""

    constraint = "fcls"
    total = "one"
    range = (0.0, 1.0)
