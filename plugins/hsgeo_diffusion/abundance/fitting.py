"""What a sample of the scene tells: whether earlier abundances know more, how much to smooth, whom to believe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext
from hsgeo.spectra.solvers import choose_weight
from hsgeo.spectra.solvers.estimate import Mixing
from hsgeo_diffusion.abundance.conditions import Conditions, conditions
from hsgeo_diffusion.abundance.kernel import CANDIDATES, Knowledge
from hsgeo_diffusion.abundance.smooth import smoother
from hsgeo_diffusion.config import AbundanceDiffusionOptions

__all__ = ["learnt"]

_INFORMED = 0.05  # of the reach, root mean square: earlier abundances nearer to the pixelwise ones are these
_STEP = 0.3  # of the noise: small beside it, and large beside the rounding of float32 maps


def learnt(
    sample: xr.Dataset, mix: Mixing, network: Any, *, options: AbundanceDiffusionOptions, ctx: FitContext
) -> xr.Dataset:
    """Learn what `Knowledge` holds from patches.

    Parameters
    ----------
    sample : xarray.Dataset
        ``spectra (patch, band, y, x)`` and, where an earlier stage wrote it, ``abundance (patch, endmember, y, x)``.
    mix : Mixing
        Endmembers, convention, noise.
    network : ResUNet2D or None
        None where it is not asked for.
    options : AbundanceDiffusionOptions
        Choice, turns.
    ctx : FitContext
        Repeats the sample with other noise.

    Returns
    -------
    xarray.Dataset
        ``tv_weight``, ``informed``, ``share (candidate)``, ``risk (candidate)``.
    """
    known = Knowledge(
        sample["wavelength"].values, mix, smoother(mix), tv_weight=0.0, informed=False, shares=_alone(options.choose)
    )
    patches = sample["spectra"].transpose("patch", "band", "y", "x").values
    known = replace(known, informed=_informed(sample, patches, known))
    if options.choose in ("blend", "vector-tv"):
        weight = choose_weight(list(patches), known.smooth.model, rng=ctx.rng(1)).weight
        known = replace(known, tv_weight=weight)
    risk = np.full(len(CANDIDATES), np.nan)
    return xr.Dataset(
        {
            "tv_weight": ((), known.tv_weight),
            "informed": ((), known.informed),
            "share": ("candidate", np.asarray(known.shares)),
            "risk": ("candidate", risk),
        },
    )


def _alone(choose: str) -> tuple[float, ...]:
    return tuple(1.0 if name == choose or (choose == "blend" and name == "network") else 0.0 for name in CANDIDATES)


def _told(sample: xr.Dataset, patch: int, known: Knowledge) -> Conditions:
    first = None
    if known.informed:
        first = sample["abundance"].transpose("patch", "endmember", "y", "x").values[patch]
    spectra = sample["spectra"].transpose("patch", "band", "y", "x").values[patch]
    return conditions(spectra, known.wavelength, known.mix, known.smooth, first)


def _informed(sample: xr.Dataset, patches: np.ndarray, known: Knowledge) -> bool:
    """Tell whether the abundances of the stage before are more than each pixel's own."""
    if "abundance" not in sample:
        return False
    first = sample["abundance"].transpose("patch", "endmember", "y", "x").values
    off = []
    for spectra, A in zip(patches, first, strict=True):
        c = conditions(spectra, known.wavelength, known.mix, known.smooth, A)
        far = c.valid & np.isfinite(A[0])
        off.append(((A - c.closed) / np.maximum(c.reach, 1e-4))[:, far].ravel())
    all_off = np.concatenate(off)
    return bool(all_off.size) and float(np.sqrt(np.mean(np.square(np.clip(all_off, -3, 3))))) > _INFORMED
