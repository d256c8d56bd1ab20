"""The stage ``destripe``: column stripes taken out of push-broom scenes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsgeo.plugin import ApplyContext, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo.spectra.stripes import (
    StripeFrame,
    Stripes,
    column_sums,
    correct_columns,
    frame_sums,
    stripe_frame,
    stripes_of,
)
from hsgeo_classical.cleaning.sums import add, image_of, padded
from hsgeo_classical.config import DestripeOptions

__all__ = ["Destripe", "DestripeKernel"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache
_FRAME = {"basis": ("band", "dimension"), "level": ("band",), "spread": ("band",), "middle": ()}


class DestripeKernel:
    """Correct blocks of pixels.

    Parameters
    ----------
    stripes : Stripes
        What every column adds and multiplies.
    """

    def __init__(self, stripes: Stripes) -> None:
        self._stripes = stripes

    def apply(self, windows: xr.Dataset, ctx: ApplyContext) -> xr.Dataset:
        """Give the corrected ``spectra (band, pixel)``; missing bands stay missing."""
        Y = windows["spectra"].transpose("band", "pixel").values
        corrected = correct_columns(Y, self._stripes, col=windows["col"].values)
        return xr.Dataset({"spectra": (("band", "pixel"), corrected)})

    def close(self) -> None:
        """Nothing is held."""


class Destripe:
    """Take out what columns add and multiply (`hsgeo.spectra.stripes`), learnt in two passes over the scene.

    Scenes that are fitted together share their columns: one sensor, in sensor geometry.

    Parameters
    ----------
    options : DestripeOptions
        The window, and whether columns may multiply.
    """

    def __init__(self, options: DestripeOptions) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        # offset and gain of all columns; the block five times in float64
        fixed = 2**20 + 16 * layout.bands * layout.width
        return Needs(batch=_BATCH, memory=Memory(fixed=fixed, per_pixel=40 * layout.bands))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``spectra (band, y, x)``: later stages see what this one returns."""
        return {"spectra": VarSpec(("band", "y", "x"))}

    def fit_needs(self, layout: Layout) -> FitNeeds:
        """Ask for the whole scene, block by block, twice."""
        return FitNeeds(kind="reduce", passes=2)

    def partial(self, tile: xr.Dataset, previous: xr.Dataset | None, ctx: FitContext) -> xr.Dataset:
        """Sum up a block: first for the directions of the scene, then for what they leave over in every column."""
        image, first = image_of(tile), int(tile["col"])
        if previous is None:
            count, total, products, rows_total = frame_sums(image, row=int(tile["row"]))
            return xr.Dataset(
                {
                    "count": ("x", padded(count, first)),
                    "total": (("band", "x"), padded(total, first)),
                    "products": (("band", "other"), products),
                    "rows_total": ((), rows_total),
                }
            )
        frame = StripeFrame(*(previous[name].values for name in _FRAME))
        sums = column_sums(image, frame, row=int(tile["row"]))
        return xr.Dataset(
            {"sums": (("half", "term", "band", "x"), padded(sums, first))},
            {name: (dims, previous[name].values) for name, dims in _FRAME.items()},
        )

    def combine(self, left: xr.Dataset, right: xr.Dataset) -> xr.Dataset:
        """Add two parts; the frame, in coordinates, is the same in both."""
        return add(left, right).assign_coords({name: left[name] for name in _FRAME if name in left.coords})

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Learn the frame from the first sums, the stripes from the second."""
        if "sums" not in sample:
            frame = stripe_frame(*(sample[name].values for name in ("count", "total", "products", "rows_total")))
            return xr.Dataset(
                {name: (dims, values) for (name, dims), values in zip(_FRAME.items(), frame, strict=True)}
            )
        frame = StripeFrame(*(np.asarray(sample[name].values) for name in _FRAME))
        found = stripes_of(sample["sums"].values, frame, window=self.options.window, gain=self.options.gain)
        return xr.Dataset(
            {
                "column_offset": (("band", "x"), found.offset),
                "column_gain": (("band", "x"), found.gain),
                "level": ("band", found.level),
            }
        )

    def setup(self, state: xr.Dataset, device: str) -> DestripeKernel:
        """Take the stripes out of the state."""
        return DestripeKernel(
            Stripes(*(np.asarray(state[name].values) for name in ("column_offset", "column_gain", "level")))
        )
