"""First guesses for training: what another stage says of a synthetic scene, through the door that all stages use."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin.registry import registry
from hsgeo.synthetic.lessons import Lesson

__all__ = ["FirstGuess"]


class FirstGuess:
    """Run a windowed stage on training scenes.

    Parameters
    ----------
    stage : str
        Name of a stage that writes abundances, such as ``"hybridstu"``.
    """

    def __init__(self, stage: str) -> None:
        known = registry()
        record = known.stage(stage)
        model = known.options(record)
        self.name = stage
        self._stage: Any = known.load(record)(model() if model is not None else None)

    def __call__(self, scene: Lesson) -> np.ndarray:
        """Estimate the abundances of a scene.

        Parameters
        ----------
        scene : Lesson
            What is seen and told.

        Returns
        -------
        numpy.ndarray
            ``(endmember, y, x)`` float32; NaN in invalid pixels.
        """
        bands = len(scene.noisy)
        names = [f"e{k}" for k in range(scene.E.shape[1])]
        E = xr.DataArray(
            scene.E.T.astype(np.float32),
            dims=("endmember", "band"),
            coords={"endmember": names},
            attrs={"scale": "peak" if scene.peak else "physical"},
        )
        flat = scene.noisy.reshape(bands, -1)
        pixels = np.flatnonzero(np.isfinite(flat).all(axis=0))
        told = xr.Dataset(
            {"spectra": (("band", "pixel"), flat[:, pixels]), "endmembers": E},
            {"wavelength": ("band", scene.wavelength), "fwhm": ("band", np.full(bands, np.nan))},
        )
        state = self._stage.fit(told, _Nobody())
        kernel = self._stage.setup(state.assign(endmembers=E).assign_coords(wavelength=told["wavelength"]), "cpu")
        window = xr.Dataset(
            {"spectra": (("window", "band", "y", "x"), scene.noisy[None])},
            {"row": ("window", [0]), "col": ("window", [0])},
        )
        found = kernel.apply(window, _Nobody())
        kernel.close()
        return np.asarray(found["abundance"].transpose("window", "endmember", "y", "x").values[0])


class _Nobody:
    """A context for stages that draw no random numbers."""

    seed, stage, device = 0, "first", "cpu"

    def report(self, fraction: float, text: str = "") -> None:
        """Hear nothing."""
