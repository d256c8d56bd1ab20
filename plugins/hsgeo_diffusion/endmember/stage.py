"""The stage ``endmember-diffusion``: noisy or drifted endmembers made again, before abundances are computed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo_diffusion.config import EndmemberDiffusionOptions
from hsgeo_diffusion.endmember.library import LibraryPrior, library_file, procedural_library
from hsgeo_diffusion.endmember.reconstruct import Prior, Reconstruction, reconstruct
from hsgeo_diffusion.weights import ENDMEMBER

if TYPE_CHECKING:
    from hsgeo_diffusion.endmember.cloud import Cloud

__all__ = ["EndmemberDiffusion"]

_LEARNT = 65_536  # pixels: sixteen patches, or the whole of a small scene
_PATCH = 64  # their side, twice the reach of strong smoothing
_LIBRARY = 2**25  # bytes of the procedural library and its whitening, at 240 bands


class EndmemberDiffusion:
    """Make endmembers again from the scene and from what spectra look like.

    Noise is taken out of the pixels by their neighbours, the corners of that cloud are compared with the given
    endmembers by their evidence, and the better ones are combined with a prior of spectra, as far as noise has made
    them wrong. Without noise nothing is touched.

    Parameters
    ----------
    options : EndmemberDiffusionOptions
        Prior, corners, weights.
    """

    def __init__(self, options: EndmemberDiffusionOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for nothing on tiles: this stage only fits."""
        return Needs()

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``endmembers (endmember, band)``, in the scale of the given ones."""
        return {"endmembers": VarSpec(("endmember", "band"), scope="scene", attrs={"scale": layout.scale})}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for patches: neighbours free each other of noise."""
        count = len(layout.endmembers or ()) or 16
        # float64: the pixels three times, their coordinates twelve times (duals of the smoothing, proposals)
        per_pixel = 8 * (3 * layout.bands + 12 * (count + 2) + 4 * count)
        fixed = 2**26 + _LIBRARY + 64 * layout.bands**2
        return FitNeeds("patches", _LEARNT, patch=_PATCH, memory=Memory(fixed=fixed, per_pixel=per_pixel))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Reconstruct the endmembers, and tell which ones moved and why (attributes of the state)."""
        if "endmembers" not in sample:
            raise ConfigError(
                "endmember-diffusion has no endmembers to start from",
                "a stage before it that writes endmembers",
                "Put archetypes or vca before it in the recipe",
            )
        given = sample["endmembers"].transpose("endmember", "band")
        prior, record = self._prior(sample)
        patches = sample["spectra"].transpose("patch", "band", "y", "x").values
        seed = int(ctx.rng().integers(2**31))
        found = reconstruct(
            given.values.T, list(patches), prior, corners=self.options.corners,
            rng=np.random.default_rng(seed),
        )  # fmt: skip
        E = found.E
        if given.attrs.get("scale") == "peak":
            top = np.abs(E).max(axis=0)
            E = np.where(found.kept, E, E / np.where(top > 0, top, 1.0))
        values = np.where(found.kept[:, None], given.values, E.T).astype(np.float32)
        coords = {name: ("band", sample[name].values) for name in ("wavelength", "fwhm") if name in sample.coords}
        return xr.Dataset(
            {
                "endmembers": (("endmember", "band"), values),
                "endmember_error": (("endmember", "band"), found.std.T.astype(np.float32)),
                "endmember_kept": ("endmember", found.kept),
            },
            {"endmember": given["endmember"].values, **coords},
            {**record, **_told(found, [str(name) for name in given["endmember"].values])},
        )

    def setup(self, state: xr.Dataset, device: str) -> None:
        """Nothing to do on tiles."""
        return

    def _prior(self, sample: xr.Dataset) -> tuple[Prior, dict[str, str]]:
        wavelength = sample["wavelength"].values.astype(np.float64)
        fwhm = sample["fwhm"].values.astype(np.float64) if "fwhm" in sample.coords else None
        if self.options.prior == "learned":
            network, record = ENDMEMBER.first(self.options.weights)
            from hsgeo_diffusion.endmember.learned import LearnedPrior

            return LearnedPrior(network, wavelength, fwhm), {"prior": "learned", **record}
        if self.options.library is not None:
            spectra = library_file(self.options.library, wavelength, fwhm)
            return LibraryPrior(spectra, wavelength), {"prior": f"library, {len(spectra)} spectra"}
        spectra = procedural_library(wavelength, fwhm, seed=self.options.seed)
        return LibraryPrior(spectra, wavelength), {"prior": f"procedural library, seed {self.options.seed}"}


def _told(found: Reconstruction, names: list[str]) -> dict[str, str | float]:
    """Say what was done, in numbers and in words."""
    cloud: Cloud | None = found.cloud
    kept = [name for name, left in zip(names, found.kept, strict=True) if left]
    if cloud is None:
        said = "endmembers left as they are: the sample has too few complete pixels to tell noise from signal"
    elif len(kept) == len(names):
        said = f"endmembers left as they are: at {cloud.snr:.0f} dB noise has not made them wrong"
    else:
        how = "corners moved and spectra freed of noise" if found.moved else "spectra freed of noise, corners kept"
        said = f"endmembers made again at {cloud.snr:.0f} dB: {how}"
        said += f"; left as they are: {', '.join(kept)}" if kept else ""
    return {
        "told": said,
        "kept": json.dumps(kept),
        "moved": str(found.moved).lower(),
        "evidence": round(found.gain, 4),
        "snr_db": round(cloud.snr, 2) if cloud is not None else float("nan"),
        "smoothing": cloud.weight if cloud is not None else 0.0,
    }
