"""Exact least-squares solvers of linear mixing, pixel by pixel, and the error of what they find.

One API: ``solver(Y, E) -> A`` with ``Y (pixels, bands)``, ``E (bands, endmembers)``, ``A (pixels, endmembers)``:
`fcls`, `at_most_one`, `nnls`, `ucls`, `bvls`, `scls` (with a gain per pixel), any of them weighted by noise with
`gls`, the sparse `sunsal` and `sunsal_tv` for libraries, and `vector_tv` for images with noise. Kernels use the block
forms, on the CPU or, by torch, on a GPU. Numba and torch are loaded by the first solve, not by the import.
"""

from hsgeo.spectra.solvers.api import at_most_one, fcls, nnls, ucls
from hsgeo.spectra.solvers.bounded import BoundedModel, bounded_model, bvls, residual_rmse, solve_bounded_block
from hsgeo.spectra.solvers.covariance import ErrorModel, abundance_covariance, abundance_std, error_model, std_block
from hsgeo.spectra.solvers.cuda import TorchModel, solve_torch, torch_model
from hsgeo.spectra.solvers.gain import scls, split_gain
from hsgeo.spectra.solvers.model import LARGEST_COUNT, MixingModel, mixing_model, solve_block
from hsgeo.spectra.solvers.sunsal import SparseModel, solve_sparse_block, sparse_model, sunsal
from hsgeo.spectra.solvers.sunsal_tv import TvResult, sunsal_tv
from hsgeo.spectra.solvers.sure import SureBlend, perturbation, perturbed, sure_blend
from hsgeo.spectra.solvers.vector_rof import vector_rof
from hsgeo.spectra.solvers.vector_tv import (
    VectorTvModel,
    VectorTvResult,
    solve_vector_tv,
    vector_tv,
    vector_tv_model,
)
from hsgeo.spectra.solvers.vector_tv_choice import WeightChoice, choose_weight
from hsgeo.spectra.solvers.whitening import gls, noise_factor, whiten

__all__ = [
    "LARGEST_COUNT",
    "BoundedModel",
    "ErrorModel",
    "MixingModel",
    "SparseModel",
    "SureBlend",
    "TorchModel",
    "TvResult",
    "VectorTvModel",
    "VectorTvResult",
    "WeightChoice",
    "abundance_covariance",
    "abundance_std",
    "at_most_one",
    "bounded_model",
    "bvls",
    "choose_weight",
    "error_model",
    "fcls",
    "gls",
    "mixing_model",
    "nnls",
    "noise_factor",
    "perturbation",
    "perturbed",
    "residual_rmse",
    "scls",
    "solve_block",
    "solve_bounded_block",
    "solve_sparse_block",
    "solve_torch",
    "solve_vector_tv",
    "sparse_model",
    "split_gain",
    "std_block",
    "sunsal",
    "sunsal_tv",
    "sure_blend",
    "torch_model",
    "ucls",
    "vector_rof",
    "vector_tv",
    "vector_tv_model",
    "whiten",
]
