"""The stage ``bundles``: all spectra of all classes solved together, summed by class."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext
from hsgeo_classical.config import BundlesOptions
from hsgeo_classical.mesma.bundles import BundleModel, bundle_block, bundle_model
from hsgeo_classical.mesma.stage import LibraryStage, Shade, library_of, one_sum

__all__ = ["Bundles"]


class _Kernel:
    """Solve blocks of pixels.

    Parameters
    ----------
    model : BundleModel
        The library made ready.
    shade : {"none", "explicit", "normalised"}
        What to do with it.
    """

    def __init__(self, model: BundleModel, shade: Shade) -> None:
        self._model, self._shade = model, shade

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give ``abundance`` and ``rmse``; NaN where there is nothing but shade to normalise."""
        Y = np.ascontiguousarray(windows["spectra"].transpose("band", "pixel").values, dtype=np.float32)
        F, _, rmse = bundle_block(Y, self._model)
        if self._shade == "normalised":
            F = one_sum(F[: len(self._model.library.names)])
        return xr.Dataset(
            {
                "abundance": (("endmember", "pixel"), F.astype(np.float32)),
                "rmse": ("pixel", rmse.astype(np.float32)),
            }
        )

    def close(self) -> None:
        """Nothing is held."""


class Bundles(LibraryStage):
    """Solve with all spectra and add each class up (`hsgeo_classical.mesma.bundles.bundles`).

    Parameters
    ----------
    options : BundlesOptions
        Constraint, shade.
    """

    def __init__(self, options: BundlesOptions) -> None:
        super().__init__(options)
        self.options: BundlesOptions = options
        self.shade = options.shade
        self.total = "free" if options.constraint == "nnls" and options.shade == "none" else "one"

    def setup(self, state: xr.Dataset, device: str) -> _Kernel:
        """Make the library ready."""
        o = self.options
        library = library_of(state, shade=o.shade == "explicit")
        zero = o.shade != "none" and o.constraint == "fcls"  # nnls has a free sum instead
        return _Kernel(bundle_model(library, constraint=o.constraint, shade=zero), o.shade)
