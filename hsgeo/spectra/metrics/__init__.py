"""How far estimates are from the truth, every number by the name of its variant, and who is who.

Shapes as everywhere: abundances ``A (pixels, endmembers)``, endmembers ``E (bands, endmembers)``.
"""

from hsgeo.spectra.metrics.abundances import (
    armse,
    bias,
    mae,
    mae_per_endmember,
    mrmse,
    pixel_rmse,
    r2,
    rmse_per_endmember,
    sre,
)
from hsgeo.spectra.metrics.endmembers import ermse, mrsa, msad, sad, sad_matrix
from hsgeo.spectra.metrics.matching import Match, Pairing, abundance_cost, match, match_abundances, pair
from hsgeo.spectra.metrics.reconstruction import psnr, re_rmse, re_sam, ssim
from hsgeo.spectra.metrics.samples import crps_samples, sample_interval, sample_quantile
from hsgeo.spectra.metrics.uncertainty import (
    LEVELS,
    ause,
    coverage,
    crps,
    interval_coverage,
    interval_width,
    sparsification,
)

__all__ = [
    "LEVELS",
    "Match",
    "Pairing",
    "abundance_cost",
    "armse",
    "ause",
    "bias",
    "coverage",
    "crps",
    "crps_samples",
    "ermse",
    "interval_coverage",
    "interval_width",
    "mae",
    "mae_per_endmember",
    "match",
    "match_abundances",
    "mrmse",
    "mrsa",
    "msad",
    "pair",
    "pixel_rmse",
    "psnr",
    "r2",
    "re_rmse",
    "re_sam",
    "rmse_per_endmember",
    "sad",
    "sad_matrix",
    "sample_interval",
    "sample_quantile",
    "sparsification",
    "sre",
    "ssim",
]
