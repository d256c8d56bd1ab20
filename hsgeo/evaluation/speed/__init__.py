"""How fast the solvers are, beside others on the same data, in one run, with the optimality checked."""

from hsgeo.evaluation.speed.measure import measure
from hsgeo.evaluation.speed.report import ratios, to_csv, to_markdown

__all__ = ["measure", "ratios", "to_csv", "to_markdown"]
