"""Diffusion: noise levels, denoisers, their loss, and samplers that turn noise into abundances or spectra.

One convention everywhere, variance exploding: ``x = x0 + sigma * noise``. A denoiser is a function
``model(x, sigma, cond) -> x0``, the expected clean tensor; a sampler is a function of a model, a start, falling levels
and ``noise(step)``, so that whoever calls it decides what the noise depends on. Networks and tables of the variance
preserving kind are converted (`hsgeo.nn.diffusion.levels`, `hsgeo.nn.diffusion.denoiser`).

Only what needs numpy alone stands here; denoisers, loss and samplers are imported from their modules and load torch.
"""

from hsgeo.nn.diffusion.draws import lognormal_sigmas, table_sigmas
from hsgeo.nn.diffusion.levels import (
    alpha_bar_of,
    checked_levels,
    cosine_vp,
    edm_levels,
    entered,
    linear_vp,
    sigma_of,
    sub_levels,
)

__all__ = [
    "alpha_bar_of",
    "checked_levels",
    "cosine_vp",
    "edm_levels",
    "entered",
    "linear_vp",
    "lognormal_sigmas",
    "sigma_of",
    "sub_levels",
    "table_sigmas",
]
