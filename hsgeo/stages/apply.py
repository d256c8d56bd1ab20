"""Apply kernels to a box of pixels: blocks, windows, nesting, quality. The numpy heart of every tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoError, PluginError, TileError
from hsgeo.plugin.needs import Needs, VarSpec
from hsgeo.plugin.protocols import Kernel
from hsgeo.stages.chain import Step
from hsgeo.stages.context import Applying
from hsgeo.stages.validity import prepare
from hsgeo.tiles.blocks import pixel_blocks
from hsgeo.tiles.grid import Box
from hsgeo.tiles.windows import Blend, cover, cut, grow

__all__ = ["Frame", "PlannedStep", "Raster", "apply_chain", "fill_value", "make_kernels"]

Read = Callable[[Box], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Raster:
    """A tile-scope variable over some box: ``values`` has dims ``(*lead, y, x)``."""

    lead: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class PlannedStep:
    """A step whose fit is known: what it needs, what it writes per tile, and the state of its kernel.

    Parameters
    ----------
    step : Step
        The stage.
    needs : Needs
        How the kernel is called.
    specs : mapping of str to VarSpec
        Tile-scope outputs.
    state : xarray.Dataset
        For `Stage.setup`.
    coords : mapping of str to tuple
        Sizes and labels of the extra dims of the outputs.
    device : str
        Where the kernel runs.
    """

    step: Step
    needs: Needs
    specs: Mapping[str, VarSpec]
    state: xr.Dataset
    coords: Mapping[str, tuple]
    device: str = "cpu"

    def lead_shape(self, name: str) -> tuple[int, ...]:
        """Return the sizes of the dims before ``(y, x)``."""
        return tuple(len(self.coords[dim]) for dim in self.specs[name].dims[:-2])


@dataclass(frozen=True)
class Frame:
    """What every box of a scene shares.

    Parameters
    ----------
    height, width : int
        Scene size.
    good : numpy.ndarray
        ``(band,)`` bool.
    mask : int
        Quality bits that leave a pixel out.
    seed : int
        Of the run.
    limit : float
        Magnitude beyond which a value is impossible.
    """

    height: int
    width: int
    good: np.ndarray
    mask: int
    seed: int
    limit: float


def make_kernels(steps: Sequence[PlannedStep]) -> tuple[Kernel | None, ...]:
    """Set up the kernel of every step.

    Raises
    ------
    PluginError
        If a stage cannot.
    """
    kernels = []
    for planned in steps:
        try:
            kernels.append(planned.step.stage.setup(planned.state, planned.device))
        except HsgeoError:
            raise
        except Exception as error:  # any failure inside a plugin becomes one clear error with its cause
            raise PluginError(
                f"stage {planned.step.id!r} cannot be set up: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:300]}",
                do="Report it to the author of the stage",
            ) from error
    return tuple(kernels)


def fill_value(dtype: str) -> float | int:
    """Return what stands for "no value": NaN, -1 for signed integers, 0 for unsigned."""
    kind = np.dtype(dtype).kind
    return np.nan if kind == "f" else -1 if kind == "i" else 0


def apply_chain(
    steps: Sequence[PlannedStep],
    kernels: Sequence[Kernel | None],
    read: Read,
    box: Box,
    frame: Frame,
    *,
    change: Callable[[np.ndarray, Box], np.ndarray] | None = None,
) -> tuple[dict[str, Raster], np.ndarray]:
    """Run the kernels of a chain on one box.

    Parameters
    ----------
    steps, kernels : sequence
        The chain, with one kernel (or None) per step.
    read : callable
        ``read(box)`` gives spectra and quality of any box inside the scene.
    box : Box
        What to fill.
    frame : Frame
        What all boxes share.
    change : callable, optional
        ``change(spectra, box)`` gives other spectra ``(good band, y, x)`` for a box, before any kernel sees them;
        missing values stay missing.

    Returns
    -------
    rasters : dict of str to Raster
        ``spectra`` (good bands, as the last step that corrects them left them) and every tile variable
        written, over ``box``.
    bits : numpy.ndarray
        ``(y, x)`` uint16: nodata, masked, partial.

    Raises
    ------
    TileError
        If a stage fails or returns something else than it announced.
    """
    boxes = [box]  # boxes[k]: what step k must fill so that the steps after it find what their windows touch
    for planned in reversed(steps):
        boxes.append(grow(planned.needs.window, boxes[-1], frame.height, frame.width))
    boxes.reverse()
    outer = boxes[0]
    spectra, bits = prepare(*read(outer), frame.good, frame.mask, frame.limit)
    if change is not None:
        spectra = change(spectra, outer)
    rasters = {"spectra": Raster(("band",), spectra)}
    for planned, kernel, seen, filled in zip(steps, kernels, boxes[:-1], boxes[1:], strict=True):
        if kernel is not None:
            try:
                new = _apply(planned, kernel, rasters, seen, filled, frame)
            except HsgeoError:
                raise
            except Exception as error:  # any failure inside a plugin becomes one clear error with its cause
                raise TileError(
                    f"stage {planned.step.id!r} failed on rows {box.y0}-{box.y1}, columns {box.x0}-{box.x1}: "
                    f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                    do="Report it to the author of the stage, or go on with --on-tile-error mask",
                ) from error
        else:
            new = {}
        where = filled.within(seen)
        kept = {name: Raster(r.lead, r.values[(..., *where)]) for name, r in rasters.items()}
        if "spectra" in new:  # a correction of the data: what was no measurement does not become one
            new["spectra"].values[:, _all_missing(kept["spectra"].values)] = np.nan
        rasters = kept | new
        bits = bits[where]
    return rasters, bits


def _all_missing(spectra: np.ndarray) -> np.ndarray:
    """Tell which pixels are NaN in every band, without a mask of the size of the data."""
    missing = np.ones(spectra.shape[1:], bool)
    for plane in spectra:
        missing &= np.isnan(plane)
    return missing


def _apply(
    planned: PlannedStep, kernel: Kernel, rasters: Mapping[str, Raster], seen: Box, filled: Box, frame: Frame
) -> dict[str, Raster]:
    wanted = {var.name: rasters[var.name] for var in planned.step.reads("tile") if var.name in rasters}
    ctx = Applying(frame.seed, planned.step.id, planned.device)
    work = _pixelwise if planned.needs.window is None else _windowed
    arrays = work(planned, kernel, wanted, seen, filled, frame, ctx, rasters["spectra"].values)
    return {name: Raster(planned.specs[name].dims[:-2], values) for name, values in arrays.items()}


def _dataset(
    planned: PlannedStep, arrays: Mapping[str, np.ndarray], lead: Mapping[str, tuple[str, ...]], *, windowed: bool
) -> xr.Dataset:
    dims = {name: ("window", *lead[name], "y", "x") if windowed else (*lead[name], "pixel") for name in arrays}
    return xr.Dataset({name: xr.Variable(dims[name], values) for name, values in arrays.items()})


def _take(planned: PlannedStep, answer: xr.Dataset, name: str, shape: tuple[int, ...], *, windowed: bool) -> np.ndarray:
    lead = planned.specs[name].dims[:-2]
    dims = ("window", *lead, "y", "x") if windowed else (*lead, "pixel")
    if not isinstance(answer, xr.Dataset) or name not in answer:
        raise TileError(
            f"stage {planned.step.id!r} announced {name!r} but its kernel did not return it", "a Dataset with it"
        )
    variable = answer[name].variable
    if variable.dims != dims or variable.shape != shape:
        raise TileError(
            f"stage {planned.step.id!r} returned {name!r} with dims {dict(variable.sizes)}",
            f"{dict(zip(dims, shape, strict=True))}, in this order",
            "Correct the kernel's apply",
        )
    return np.asarray(variable.values)


def _pixelwise(
    planned: PlannedStep,
    kernel: Kernel,
    wanted: Mapping[str, Raster],
    seen: Box,
    filled: Box,
    frame: Frame,
    ctx: Applying,
    spectra: np.ndarray,
) -> dict[str, np.ndarray]:
    count = seen.height * seen.width
    out = {
        name: np.full((*planned.lead_shape(name), count), fill_value(spec.dtype), spec.dtype)
        for name, spec in planned.specs.items()
    }
    # every pixel of `spectra` is NaN in all bands or in few; a pixel that counts has a finite value somewhere
    valid = np.flatnonzero(~_all_missing(spectra))
    flat = {name: r.values.reshape(*r.values.shape[:-2], count) for name, r in wanted.items()}
    lead = {name: r.lead for name, r in wanted.items()}
    batch = planned.needs.batch
    for pixels, block in pixel_blocks(flat, valid, batch):
        data = _dataset(planned, block, lead, windowed=False)
        row, col = np.full(batch, -1, np.int64), np.full(batch, -1, np.int64)
        row[: pixels.size], col[: pixels.size] = pixels // seen.width + seen.y0, pixels % seen.width + seen.x0
        answer = kernel.apply(data.assign_coords(row=("pixel", row), col=("pixel", col)), ctx)
        for name in out:
            shape = (*planned.lead_shape(name), batch)
            out[name][..., pixels] = _take(planned, answer, name, shape, windowed=False)[..., : pixels.size]
    return {name: values.reshape(*values.shape[:-1], seen.height, seen.width) for name, values in out.items()}


def _windowed(
    planned: PlannedStep,
    kernel: Kernel,
    wanted: Mapping[str, Raster],
    seen: Box,
    filled: Box,
    frame: Frame,
    ctx: Applying,
    spectra: np.ndarray,
) -> dict[str, np.ndarray]:
    window = planned.needs.window
    assert window is not None
    blends = {name: Blend(window, filled, planned.lead_shape(name), spec.dtype) for name, spec in planned.specs.items()}
    lead = {name: r.lead for name, r in wanted.items()}
    places = list(cover(window, filled, frame.height, frame.width))
    batch = planned.needs.batch
    for start in range(0, len(places), batch):
        now = places[start : start + batch]
        arrays = {}
        for name, raster in wanted.items():
            fill = np.nan if raster.values.dtype.kind == "f" else 0
            stack = np.full((batch, *raster.values.shape[:-2], window.size, window.size), fill, raster.values.dtype)
            for slot, place in enumerate(now):
                stack[slot] = cut(raster.values, seen, place)
            arrays[name] = stack
        row = np.array([place.y0 for place in now] + [now[-1].y0] * (batch - len(now)), np.int64)
        col = np.array([place.x0 for place in now] + [now[-1].x0] * (batch - len(now)), np.int64)
        data = _dataset(planned, arrays, lead, windowed=True)
        answer = kernel.apply(data.assign_coords(row=("window", row), col=("window", col)), ctx)
        for name, blend in blends.items():
            shape = (batch, *planned.lead_shape(name), window.size, window.size)
            values = _take(planned, answer, name, shape, windowed=True)
            for slot, place in enumerate(now):
                blend.add(place, values[slot])
    return {name: blend.result() for name, blend in blends.items()}
