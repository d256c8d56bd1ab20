"""The stage ``sunsal-tv``: sparse abundances that are alike in neighbouring pixels, window by window."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec, Window
from hsgeo.spectra.solvers.sunsal_tv import sunsal_tv
from hsgeo_classical.abundance.sparse import SMOOTH, SPARSE, noise_fit_needs, noise_level, price, spectra_of
from hsgeo_classical.config import SunsalTvOptions

__all__ = ["SunsalTv", "SunsalTvKernel"]


class SunsalTvKernel:
    """Solve windows with a fixed library.

    Parameters
    ----------
    E : numpy.ndarray
        Library ``(bands, endmembers)``.
    names : sequence of str
        Of its spectra.
    lam, lam_tv : float
        Prices, units of the data squared.
    options : SunsalTvOptions
        The rest.
    """

    def __init__(self, E: np.ndarray, names: object, *, lam: float, lam_tv: float, options: SunsalTvOptions) -> None:
        self._E, self._names, self._lam, self._lam_tv, self._options = E, names, lam, lam_tv, options

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance (window, endmember, y, x)``, each window by itself."""
        Y = windows["spectra"].transpose("window", "y", "x", "band").values
        options = self._options
        solved = [
            sunsal_tv(
                image,
                self._E,
                lam=self._lam,
                lam_tv=self._lam_tv,
                sum_to_one=options.sum_to_one,
                tolerance=options.tolerance,
                iterations=options.iterations,
                dtype=np.float32,
            ).A
            for image in Y
        ]
        A = np.ascontiguousarray(np.moveaxis(np.stack(solved), -1, 1))
        return xr.Dataset({"abundance": (("window", "endmember", "y", "x"), A)}, {"endmember": self._names})

    def close(self) -> None:
        """Nothing is held."""


class SunsalTv:
    """Estimate sparse abundances with a price on differences between neighbours (`hsgeo.spectra.solvers.sunsal_tv`).

    A window is solved with a margin around the part that is kept, because a difference is felt over the reach of
    the smoothing only; overlaps are blended.

    Parameters
    ----------
    options : SunsalTvOptions
        Prices, constraint, window.
    """

    def __init__(self, options: SunsalTvOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for windows, one at a time."""
        count = len(layout.endmembers or ()) or 16
        window = Window(self.options.core + 2 * self.options.margin, self.options.core)
        # about thirty float32 maps of every endmember, the right sides and the data in float64, the data moved
        per_pixel = 4 * 30 * count + 16 * count + 24 * layout.bands
        return Needs(window=window, batch=1, memory=Memory(fixed=2**22 + 64 * count**2, per_pixel=per_pixel))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``abundance (endmember, y, x)``."""
        one = self.options.sum_to_one
        return {
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "abundance", "units": "1"},
                range=(0.0, 1.0 if one else float("inf")),
                sum="one" if one else "free",
            )
        }

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for pixels to learn the noise from, if a price follows it."""
        return noise_fit_needs(layout) if "auto" in (self.options.lam, self.options.lam_tv) else None

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the noise."""
        return noise_level(sample)

    def setup(self, state: xr.Dataset, device: str) -> SunsalTvKernel:
        """Set the prices for the library in ``state``."""
        E = spectra_of(state, "sunsal-tv")
        level = float(state["noise_level"]) if "noise_level" in state else 0.0
        return SunsalTvKernel(
            E,
            state["endmember"].values,
            lam=price(self.options.lam, E, level=level, share=SPARSE),
            lam_tv=price(self.options.lam_tv, E, level=level, share=SMOOTH),
            options=self.options,
        )
