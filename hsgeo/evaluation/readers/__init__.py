"""What readers cost on files of full size: memory to look and to open, and windows beside the format's own library."""

from hsgeo.evaluation.readers.measure import LIMITS, measure, products
from hsgeo.evaluation.readers.report import faults, to_csv, to_markdown

__all__ = ["LIMITS", "faults", "measure", "products", "to_csv", "to_markdown"]
