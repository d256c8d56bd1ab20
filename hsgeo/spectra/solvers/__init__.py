"""Exact least-squares solvers of linear mixing, pixel by pixel: `fcls`, `nnls`, `ucls`, and their block form.

One API: ``solver(Y, E) -> A`` with ``Y (pixels, bands)``, ``E (bands, endmembers)``, ``A (pixels, endmembers)``.
Numba is loaded by the first solve, not by the import.
"""

from hsgeo.spectra.solvers.api import fcls, nnls, ucls
from hsgeo.spectra.solvers.model import LARGEST_COUNT, MixingModel, mixing_model, solve_block

__all__ = ["LARGEST_COUNT", "MixingModel", "fcls", "mixing_model", "nnls", "solve_block", "ucls"]
