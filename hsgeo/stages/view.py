"""A scene as the fits see it: its sample, and what the kernels so far make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from hsgeo.errors import PluginError
from hsgeo.stages.apply import Frame, PlannedStep, Raster, apply_chain, make_kernels
from hsgeo.stages.chain import Step
from hsgeo.stages.labels import Labels
from hsgeo.stages.sample import Patch
from hsgeo.stages.source import Source
from hsgeo.tiles.grid import Box

__all__ = ["Change", "Material", "labels_for", "see"]

Change = Callable[[np.ndarray, int, int], np.ndarray]
"""``change(spectra, row, col)``: other spectra ``(band, y, x)`` for a box whose first pixel is at (row, col)."""


@dataclass(frozen=True)
class Material:
    """One scene as the fits see it.

    Parameters
    ----------
    source : Source
        All pixels.
    patches : tuple of Patch
        The sample, read once.
    frame : Frame
        Size, good bands, mask, seed.
    look : xarray.Dataset
        What `hsgeo.stages.bands.look` found.
    screened : bool
        Whether samples leave out what looks like cloud, glint, saturation or a fault.
    labels : Labels or None
        Labelled pixels; fits of stages that read the tile variable ``label`` see them.
    """

    source: Source
    patches: tuple[Patch, ...]
    frame: Frame
    look: xr.Dataset
    screened: bool = True
    labels: Labels | None = None
    _cache: dict[Box, tuple[np.ndarray, np.ndarray | None]] = field(default_factory=dict, compare=False)

    def read(self, box: Box) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a box, from the sample when it is one of its patches."""
        if not self._cache:
            self._cache.update({patch.box: (patch.spectra, patch.quality) for patch in self.patches})
        return self._cache[box] if box in self._cache else self.source.read(box)


def see(
    step: Step, before: Sequence[PlannedStep], material: Material, boxes: Sequence[Box], change: Change | None = None
) -> list[dict[str, Raster]]:
    """See boxes through the kernels of the steps so far, as far as ``step`` reads what they write.

    Labels are added at the end: fits see them, kernels never do, because a fit is applied to scenes without labels.

    Parameters
    ----------
    step : Step
        Who wants to see.
    before : sequence of PlannedStep
        The steps before it, fitted.
    material : Material
        The scene.
    boxes : sequence of Box
        Where.
    change : callable, optional
        Changes what the first kernel gets, and so all that follows.

    Returns
    -------
    list of dict of str to Raster
        Per box: ``spectra``, what the kernels wrote, and ``label`` where there are labels and ``step`` reads them.

    Raises
    ------
    PluginError
        If a kernel cannot be set up, or ``change`` returns something else than spectra.
    """
    wanted = {var.name for var in step.reads("tile")} | {"spectra"}
    last = max((place for place, planned in enumerate(before, 1) if wanted & planned.specs.keys()), default=0)
    chain = list(before[:last])
    hook = None if change is None else _checked(step, change)
    kernels = make_kernels(chain)
    try:
        seen = [apply_chain(chain, kernels, material.read, box, material.frame, change=hook)[0] for box in boxes]
    finally:
        for kernel in kernels:
            if kernel is not None:
                kernel.close()
    labels = labels_for(step, material)
    if labels is not None:
        for box, rasters in zip(boxes, seen, strict=True):
            rasters["label"] = Raster((), labels.window(box))
    return seen


def labels_for(step: Step, material: Material) -> Labels | None:
    """Return the labels of a scene, if a step reads them."""
    return material.labels if any(var.name == "label" for var in step.reads("tile")) else None


def _checked(step: Step, change: Change) -> Callable[[np.ndarray, Box], np.ndarray]:
    def checked(spectra: np.ndarray, box: Box) -> np.ndarray:
        shape, finite = spectra.shape, np.isfinite(spectra)
        new = np.asarray(change(spectra, box.y0, box.x0))
        if new.shape != shape or new.dtype != np.float32:
            raise PluginError(
                f"stage {step.id!r} changes spectra {shape} of its sample to {new.dtype} {new.shape}",
                "float32 of the same shape",
                "Correct what it gives to ctx.again",
            )
        moved = finite != np.isfinite(new)
        if moved.any():
            raise PluginError(
                f"stage {step.id!r} changes which values of its sample are missing, in {int(moved.sum())} places",
                "finite values where they were, NaN where they were",
                "Correct what it gives to ctx.again",
            )
        return new

    return checked
