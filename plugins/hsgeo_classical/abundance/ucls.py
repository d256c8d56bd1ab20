"""The stage ``ucls``: abundances by unconstrained least squares."""

from __future__ import annotations

from hsgeo_classical.abundance.stage import AbundanceStage

__all__ = ["Ucls"]


class Ucls(AbundanceStage):
    """Estimate abundances by unconstrained least squares (`hsgeo.spectra.solvers.ucls`)."""

    constraint = "ucls"
    total = "free"
    range = None
