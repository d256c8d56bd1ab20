"""The stage ``nnls``: non-negative abundances, sum free."""

from __future__ import annotations

from hsgeo.plugin import Layout, VarSpec
from hsgeo_classical.abundance.kernel import Problem
from hsgeo_classical.abundance.stage import AbundanceStage

__all__ = ["Nnls"]


class Nnls(AbundanceStage):
    """Estimate non-negative abundances, sum free (`hsgeo.spectra.solvers.nnls`).

    Parameters
    ----------
    options : AbundanceOptions
        Weights and errors.
    """

    name = "nnls"

    def problem(self, scale: str) -> Problem:
        """Solve whatever the scale is."""
        return Problem("nnls")

    def abundance(self, layout: Layout) -> VarSpec:
        """Declare abundances of any sum."""
        return VarSpec(
            ("endmember", "y", "x"),
            attrs={"long_name": "abundance", "units": "1"},
            range=(0.0, float("inf")),
            sum="free",
        )
