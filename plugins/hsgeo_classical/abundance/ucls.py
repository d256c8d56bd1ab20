"""The stage ``ucls``: abundances by unconstrained least squares."""

from __future__ import annotations

from hsgeo.plugin import Layout, VarSpec
from hsgeo_classical.abundance.kernel import Problem
from hsgeo_classical.abundance.stage import AbundanceStage

__all__ = ["Ucls"]


class Ucls(AbundanceStage):
    """Estimate abundances by unconstrained least squares (`hsgeo.spectra.solvers.ucls`).

    Parameters
    ----------
    options : AbundanceOptions
        Weights and errors.
    """

    name = "ucls"

    def problem(self, scale: str) -> Problem:
        """Solve whatever the scale is."""
        return Problem("ucls")

    def abundance(self, layout: Layout) -> VarSpec:
        """Declare abundances of any sum."""
        return VarSpec(
            ("endmember", "y", "x"),
            attrs={"long_name": "abundance", "units": "1"},
            range=None,
            sum="free",
        )
