"""What a sample of the scene tells: how noisy it is, how much to smooth, and whom to believe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import FitContext
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.solvers import choose_weight, perturbation, sure_blend, vector_tv_model
from hsgeo.spectra.solvers.estimate import Mixing
from hsgeo.spectra.structured import weights_of
from hsgeo_diffusion.abundance.knowledge import CANDIDATES, Knowledge, candidates, knowledge
from hsgeo_diffusion.config import AbundanceDiffusionOptions

__all__ = ["learnt"]

_INFORMED = 0.05  # of the reach, root mean square: earlier abundances nearer to the pixelwise ones are these
_FARTHEST = 3.0  # of the reach: distances beyond count as that
_ENOUGH = 30_000  # pixels of all perturbations together: shares chosen on fewer differ from draw to draw
_MOST = 3  # perturbations of a small scene; each costs an evaluation of the whole chain


def learnt(
    sample: xr.Dataset,
    mix: Mixing,
    noise: np.ndarray,
    network: Any,
    *,
    options: AbundanceDiffusionOptions,
    ctx: FitContext,
) -> xr.Dataset:
    """Learn what `Knowledge` holds from patches.

    Parameters
    ----------
    sample : xarray.Dataset
        ``spectra (patch, band, y, x)`` and, where an earlier stage wrote it, ``abundance (patch, endmember, y, x)``.
    mix : Mixing
        Endmembers, convention, and the noise that the network is told.
    noise : numpy.ndarray
        ``(band,)`` the noise that there is.
    network : ResUNet2D or None
        None where it is not asked for.
    options : AbundanceDiffusionOptions
        Choice, turns.
    ctx : FitContext
        Repeats the sample with other noise.

    Returns
    -------
    xarray.Dataset
        ``band_weight (band)``, ``tv_weight``, ``informed``, ``share (candidate)`` and ``risk (candidate)``: the
        estimated squared error of a pixel's abundances, up to a constant.
    """
    spectra = sample["spectra"].transpose("patch", "band", "y", "x").values
    size = float(np.sqrt(np.mean([np.nanmean(np.square(patch), dtype=np.float64) for patch in spectra])))
    known = knowledge(
        mix,
        sample["wavelength"].values,
        band_weight=weights_of(noise, size=size),
        tv_weight=0.0,
        informed=False,
        shares=tuple(float(name == options.choose) for name in CANDIDATES),
    )
    informed = _informed(sample, spectra, known)
    known = replace(known, informed=informed)
    risk = np.full(len(CANDIDATES), np.nan)
    if options.choose in ("blend", "vector-tv"):
        weight = known.band_weight.astype(np.float64)
        model = vector_tv_model(mix.E * weight[:, None], noise * weight, peak=mix.peak)
        patches = [patch * known.band_weight[:, None, None] for patch in spectra]
        chosen = choose_weight(patches, model, rng=ctx.rng(1)).weight
        # maps are smoothed in units of the noise that is told, which is a little less
        known = replace(known, tv_weight=chosen * float(np.median(noise / mix.noise)))
        if options.choose == "blend":
            shares, risk = _blended(sample, patches, model, known, network, options=options, ctx=ctx)
            known = replace(known, shares=shares)
    return xr.Dataset(
        {
            "band_weight": ("band", known.band_weight),
            "tv_weight": ((), known.tv_weight),
            "informed": ((), known.informed),
            "share": ("candidate", np.asarray(known.shares)),
            "risk": ("candidate", risk),
        },
        {"candidate": list(CANDIDATES)},
        {"told": "made of " + _in_words(known.shares)} if options.choose == "blend" else {},
    )


def _in_words(shares: tuple[float, ...]) -> str:
    """Name the candidates that have a share, the largest first."""
    order = sorted(range(len(shares)), key=lambda k: -shares[k])
    return ", ".join(f"{CANDIDATES[k]} {shares[k]:.0%}" for k in order if shares[k] >= 0.005)


def _blended(
    sample: xr.Dataset,
    patches: list[np.ndarray],
    model: Any,
    known: Knowledge,
    network: Any,
    *,
    options: AbundanceDiffusionOptions,
    ctx: FitContext,
) -> tuple[tuple[float, ...], np.ndarray]:
    """Weigh the candidates by Stein's estimate of the risk of their blend (`hsgeo.spectra.solvers.sure_blend`)."""
    wanted = tuple(name != "first" or known.informed for name in CANDIDATES)
    use = np.flatnonzero(wanted)
    count = len(patches)
    turns = max(1, min(_MOST, _ENOUGH // max(1, sum(int(np.isfinite(p).all(axis=0).sum()) for p in patches))))

    def found(seen: xr.Dataset) -> list[np.ndarray]:
        return [
            _estimates(seen, patch, known, network, wanted=wanted, options=options, device=ctx.device)[use]
            for patch in range(count)
        ]

    still = found(sample)
    noises: list[np.ndarray] = []
    moved: list[np.ndarray] = []
    for turn in range(turns):

        def each(row: int, col: int, height: int, width: int, turn: int = turn) -> np.ndarray:
            return np.moveaxis(ctx.noise(row, col, height, width, channels=model.E.shape[1], step=turn), 0, -1)

        def change(spectra: np.ndarray, row: int, col: int, each: Any = each) -> np.ndarray:
            move, _ = perturbation(each(row, col, *spectra.shape[1:]), model)
            return np.asarray(spectra + move / known.band_weight[:, None, None], spectra.dtype)

        moved += found(ctx.again(change))
        side = patches[0].shape[1:]
        corners = zip(sample["row"].values, sample["col"].values, strict=True)
        noises += [perturbation(each(int(row), int(col), *side), model)[1] for row, col in corners]
        ctx.report((turn + 1) / turns, "whom to believe")
    blend = sure_blend(patches * turns, noises, still * turns, moved, model=model)
    shares, risk = np.zeros(len(CANDIDATES)), np.full(len(CANDIDATES), np.nan)
    shares[use], risk[use] = blend.weights, blend.risk
    return tuple(float(share) for share in shares), risk


def _estimates(
    seen: xr.Dataset,
    patch: int,
    known: Knowledge,
    network: Any,
    *,
    wanted: tuple[bool, ...],
    options: AbundanceDiffusionOptions,
    device: str,
) -> np.ndarray:
    """Estimate a patch in every way, ``(candidate, endmember, y, x)``; NaN in invalid pixels."""
    spectra = seen["spectra"].transpose("patch", "band", "y", "x").values[patch]
    first = _first(seen)[patch] if "abundance" in seen else None
    c = known.see(spectra, first, destripe=options.destripe)
    out = candidates(
        network, c, first, known, wanted=wanted, turns=options.turns, guide=options.guide, device=device
    )  # fmt: skip
    out[:, :, ~c.valid] = np.nan
    return out


def _first(seen: xr.Dataset) -> np.ndarray:
    # stages whose abundances do not sum to one are heard, too
    return project_simplex(seen["abundance"].transpose("patch", "endmember", "y", "x").values, axis=1)


def _informed(sample: xr.Dataset, spectra: np.ndarray, known: Knowledge) -> bool:
    """Tell whether the abundances of the stage before are more than each pixel's own."""
    if "abundance" not in sample:
        return False
    total, pixels = 0.0, 0
    for patch, A in zip(spectra, _first(sample), strict=True):
        c = known.see(patch, None, destripe=False)
        at = c.valid & np.isfinite(A[0])
        off = np.clip(((A - c.closed) / np.maximum(c.reach, 1e-4))[:, at], -_FARTHEST, _FARTHEST)
        total += float(np.square(off, dtype=np.float64).sum())
        pixels += off.size
    return pixels > 0 and np.sqrt(total / pixels) > _INFORMED
