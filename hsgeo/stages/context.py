"""The contexts that stages are called with (`hsgeo.plugin.ApplyContext`, `FitContext`), made real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsgeo.errors import PluginError
from hsgeo.tiles.noise import generator, pixel_noise

__all__ = ["Applying", "Fitting"]


@dataclass(frozen=True)
class Applying:
    """Handed to `Kernel.apply`.

    Parameters
    ----------
    seed : int
        Seed of the run.
    stage : str
        Id of the stage in the recipe.
    device : str
        ``"cpu"`` or ``"cuda"``.
    """

    seed: int
    stage: str
    device: str = "cpu"

    def noise(self, row: int, col: int, height: int, width: int, *, channels: int = 1, step: int = 0) -> np.ndarray:
        """Draw standard normal noise pinned to absolute pixels.

        Two windows that overlap get the same noise where they overlap, whatever the tiling.

        Parameters
        ----------
        row, col : int
            Absolute scene position of the first pixel; may be negative.
        height, width : int
            Size in pixels.
        channels, step : int
            Independent fields per pixel, and per sampling step.

        Returns
        -------
        numpy.ndarray
            ``(channels, height, width)`` float32.
        """
        return pixel_noise(self.seed, self.stage, step, row, col, height, width, channels)


@dataclass(frozen=True)
class Fitting(Applying):
    """Handed to `Stage.fit` and `ReduceFit.partial`.

    Parameters
    ----------
    seed, stage, device
        As in `ApplyContext`.
    progress : callable, optional
        ``progress(fraction, text)`` for long fits.
    repeat : callable, optional
        ``repeat(change)``: the sample of the fit once more, with changed spectra.
    """

    progress: Callable[[float, str], None] | None = None
    repeat: Callable[[Callable[[np.ndarray, int, int], np.ndarray]], xr.Dataset] | None = None

    def rng(self, *key: int) -> np.random.Generator:
        """Return a generator derived from (seed, stage, key)."""
        return generator(self.seed, self.stage, *key)

    def report(self, fraction: float, text: str = "") -> None:
        """Report progress, if anybody listens."""
        if self.progress is not None:
            self.progress(fraction, text)

    def again(self, change: Callable[[np.ndarray, int, int], np.ndarray]) -> xr.Dataset:
        """Return the sample of this fit once more, with the spectra changed before earlier stages see them.

        Parameters
        ----------
        change : callable
            As in `FitContext.again`.

        Returns
        -------
        xarray.Dataset
            As `Stage.fit` was given it.

        Raises
        ------
        PluginError
            If the fit is a reduction, or ``change`` moves a missing value.
        """
        if self.repeat is None:
            raise PluginError(
                f"stage {self.stage!r} asks for its sample again, and has none",
                "ctx.again in Stage.fit, with fit_needs of the kind 'pixels' or 'patches'",
                "A fit of the kind 'reduce' has to do without",
            )
        return self.repeat(change)
