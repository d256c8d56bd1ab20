"""Fits, in order: sample, fit, make its kernel, see the sample through it, fit the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoError, PluginError, SceneError
from hsgeo.plugin.needs import FitNeeds, Layout
from hsgeo.stages.apply import Frame, PlannedStep, Raster, apply_chain, fill_value, make_kernels
from hsgeo.stages.chain import Step
from hsgeo.stages.context import Fitting
from hsgeo.stages.devices import pick_device
from hsgeo.stages.labels import NO_LABEL, Labels
from hsgeo.stages.sample import Patch, lattice
from hsgeo.stages.screen import screen
from hsgeo.stages.source import Source
from hsgeo.tiles.grid import Box
from hsgeo.tiles.noise import generator

__all__ = ["Material", "fit_step", "plan_step", "stage_layout"]

REDUCE_BLOCK = 256  # side of the blocks of a reduce fit: an absolute lattice, so that no tiling changes the sums

Progress = Callable[[float, str], None]


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


def stage_layout(frame: Frame, look: xr.Dataset, scene_vars: Mapping[str, xr.DataArray]) -> Layout:
    """Say what is known of the scene once ``scene_vars`` are."""
    good = frame.good
    names = classes = None
    scale = "physical"
    if "endmembers" in scene_vars:
        scale = str(scene_vars["endmembers"].attrs.get("scale", scale))
        names = tuple(str(name) for name in scene_vars["endmembers"]["endmember"].values)
    if "library" in scene_vars:
        library = scene_vars["library"]
        labels = library["class"] if "class" in library.coords else library["name"]
        classes = tuple(dict.fromkeys(str(label) for label in labels.values))
    return Layout(
        height=frame.height,
        width=frame.width,
        wavelength=tuple(float(w) for w in look["wavelength"].values[good]),
        fwhm=tuple(float(w) for w in look["fwhm"].values[good]),
        quantity=look.attrs["quantity"],
        endmembers=names,
        classes=classes,
        scale=scale,
    )


def plan_step(step: Step, layout: Layout, state: xr.Dataset, scene_vars: Mapping[str, xr.DataArray]) -> PlannedStep:
    """Turn a fitted step into one that kernels can be made of."""
    specs = {name: spec for name, spec in step.outputs(layout).items() if spec.scope == "tile"}
    coords: dict[str, tuple[Any, ...]] = {"endmember": layout.endmembers or (), "band": tuple(range(layout.bands))}
    corrected = specs.get("spectra")
    if corrected is not None and (corrected.dims != ("band", "y", "x") or corrected.dtype != "float32"):
        raise PluginError(
            f"stage {step.id!r} rewrites 'spectra' as {corrected.dtype} with dims {corrected.dims}",
            "float32 with dims ('band', 'y', 'x'), the same bands as it was given",
        )
    for spec in specs.values():
        coords.update({dim: tuple(labels) for dim, labels in spec.coords.items()})
    for name, spec in specs.items():
        missing = [dim for dim in spec.dims[:-2] if not coords.get(dim)]
        if missing:
            raise PluginError(
                f"stage {step.id!r} writes {name!r} over the dim {missing[0]!r} and does not say its labels",
                "coords= in the VarSpec, or endmembers that an earlier stage wrote",
            )
    seen = {var.name: scene_vars[var.name] for var in step.reads("scene") if var.name in scene_vars}
    needs = step.stage.needs(layout)
    full = state.assign(seen).assign_coords(
        wavelength=("band", np.array(layout.wavelength)), fwhm=("band", np.array(layout.fwhm))
    )
    return PlannedStep(step, needs, specs, full, coords, pick_device(needs.device))


def fit_step(
    step: Step,
    layout: Layout,
    before: Sequence[PlannedStep],
    materials: Sequence[Material],
    scene_vars: Mapping[str, xr.DataArray],
    progress: Progress | None = None,
) -> tuple[xr.Dataset, dict[str, xr.DataArray], dict[str, int]]:
    """Fit one step.

    Parameters
    ----------
    step : Step
        What to fit.
    layout : Layout
        What is known so far.
    before : sequence of PlannedStep
        The steps before it, fitted.
    materials : sequence of Material
        The scenes.
    scene_vars : mapping of str to xarray.DataArray
        Scene-scope variables so far, good bands only.
    progress : callable, optional
        For long fits.

    Returns
    -------
    state : xarray.Dataset
        What the stage learnt; empty when it learns nothing.
    written : dict of str to xarray.DataArray
        Scene-scope variables it declares.
    report : dict of str to int
        Pixels seen, used, and left out by reason.
    """
    needs = step.stage.fit_needs(layout)
    if needs is None:
        return xr.Dataset(), {}, {}
    ctx = Fitting(materials[0].frame.seed, step.id, pick_device(needs.device), progress)
    shared = {var.name: scene_vars[var.name] for var in step.reads("scene") if var.name in scene_vars}
    try:
        if needs.kind == "reduce":
            state = _reduce(step, needs, layout, before, materials, shared, ctx)
            report: dict[str, int] = {}
        else:
            collect = _pixels if needs.kind == "pixels" else _patches
            sample, report = collect(step, needs, layout, before, materials)
            state = step.stage.fit(sample.assign(shared), ctx)
    except HsgeoError:
        raise
    except Exception as error:  # any failure inside a plugin becomes one clear error with its cause
        raise PluginError(
            f"stage {step.id!r} failed to fit: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            do="Report it to the author of the stage",
        ) from error
    return state, _written(step, layout, state), report


def _written(step: Step, layout: Layout, state: xr.Dataset) -> dict[str, xr.DataArray]:
    if not isinstance(state, xr.Dataset):
        raise PluginError(f"the fit of stage {step.id!r} returned {type(state).__name__}", "an xarray.Dataset")
    written = {}
    for name, spec in step.outputs(layout).items():
        if spec.scope == "scene":
            if name not in state:
                raise PluginError(f"the fit of stage {step.id!r} announced {name!r} and did not return it")
            written[name] = state[name].assign_attrs(spec.attrs)  # what is declared need not be said twice
    if "endmembers" in written:
        E = written["endmembers"]
        if E.dims != ("endmember", "band") or E.sizes["band"] != layout.bands or not np.isfinite(E.values).all():
            raise PluginError(
                f"stage {step.id!r} wrote endmembers with dims {dict(E.sizes)}",
                f"finite values with dims ('endmember', 'band') and {layout.bands} bands",
            )
    return written


def _run(
    step: Step, before: Sequence[PlannedStep], material: Material, boxes: Sequence[Box]
) -> list[tuple[dict[str, Raster], np.ndarray]]:
    """See boxes through the kernels of the steps so far, as far as ``step`` reads what they write.

    Labels are added at the end: fits see them, kernels never do, because a fit is applied to scenes without labels.
    """
    wanted = {var.name for var in step.reads("tile")} | {"spectra"}
    last = max((place for place, planned in enumerate(before, 1) if wanted & planned.specs.keys()), default=0)
    chain = list(before[:last])
    kernels = make_kernels(chain)
    try:
        seen = [apply_chain(chain, kernels, material.read, box, material.frame) for box in boxes]
    finally:
        for kernel in kernels:
            if kernel is not None:
                kernel.close()
    labels = _labels(step, material)
    if labels is not None:
        for box, (rasters, _) in zip(boxes, seen, strict=True):
            rasters["label"] = Raster((), labels.window(box))
    return seen


def _labels(step: Step, material: Material) -> Labels | None:
    return material.labels if any(var.name == "label" for var in step.reads("tile")) else None


def _band_coords(layout: Layout) -> dict[str, Any]:
    return {
        "wavelength": ("band", np.array(layout.wavelength)),
        "fwhm": ("band", np.array(layout.fwhm)),
    }


def _pixels(
    step: Step, needs: FitNeeds, layout: Layout, before: Sequence[PlannedStep], materials: Sequence[Material]
) -> tuple[xr.Dataset, dict[str, int]]:
    parts: dict[str, list[np.ndarray]] = {}
    leads: dict[str, tuple[str, ...]] = {}
    wanted = {var.name for var in step.reads("tile")}
    rows, cols, numbers = [], [], []
    for number, material in enumerate(materials):
        boxes = [patch.box for patch in material.patches]
        labels = _labels(step, material)
        if labels is not None:
            boxes += labels.cells(material.frame.height, material.frame.width, boxes)
        for box, (rasters, _) in zip(boxes, _run(step, before, material, boxes), strict=True):
            valid = ~np.isnan(rasters["spectra"].values).all(axis=0)
            y, x = np.nonzero(valid)
            rows.append(y + box.y0)
            cols.append(x + box.x0)
            numbers.append(np.full(y.size, number))
            for name in wanted & rasters.keys() | {"spectra"}:
                leads[name] = rasters[name].lead
                parts.setdefault(name, []).append(rasters[name].values[..., valid])
    arrays = {name: np.concatenate(values, axis=-1) for name, values in parts.items()}
    row, col, number_of = np.concatenate(rows), np.concatenate(cols), np.concatenate(numbers)
    if row.size == 0:
        raise SceneError(
            "no valid pixel is left in the sample: all are nodata or masked",
            "a scene with valid pixels",
            "Look at the quality flags with `hsgeo info`; scene.mask chooses which of them mask a pixel",
        )
    keep, report = screen(arrays["spectra"], np.array(layout.wavelength), layout.quantity, faults=materials[0].screened)
    report = {"seen": int(row.size)} | {key: int(value) for key, value in report.items()}
    index = np.flatnonzero(keep)
    if index.size == 0:
        raise SceneError(
            "screening for cloud, glint, saturation and outliers left no pixel to learn from",
            "a scene with some ordinary pixels",
            "Check scale and units with `hsgeo info`, or give endmembers",
        )
    if index.size > needs.pixels:
        # keyed to the pixel, not to its rank: one pixel more or less changes no other pixel's luck
        luck = _luck(materials[0].frame.seed, step.id, row[index], col[index], number_of[index])
        labelled = arrays["label"][index] != NO_LABEL if "label" in arrays else np.zeros(index.size, bool)
        labelled &= np.count_nonzero(labelled) <= needs.pixels // 2  # few are all wanted, of many luck takes enough
        index = np.sort(index[np.lexsort((luck, ~labelled))[: needs.pixels]])
    report["used"] = int(index.size)
    sample = xr.Dataset(
        {name: ((*leads[name], "pixel"), np.ascontiguousarray(values[..., index])) for name, values in arrays.items()},
        coords=_band_coords(layout)
        | {"row": ("pixel", row[index]), "col": ("pixel", col[index]), "scene": ("pixel", number_of[index])},
    )
    return sample, report


def _luck(seed: int, stage: str, row: np.ndarray, col: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return a pseudo-random number per pixel that depends on its position alone (splitmix64)."""
    salt = generator(seed, stage, 1).integers(1 << 63, dtype=np.uint64)
    z: np.ndarray = (
        (number.astype(np.uint64) << np.uint64(56)) ^ (row.astype(np.uint64) << np.uint64(28)) ^ col.astype(np.uint64)
    )
    z = (z ^ salt) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _patches(
    step: Step, needs: FitNeeds, layout: Layout, before: Sequence[PlannedStep], materials: Sequence[Material]
) -> tuple[xr.Dataset, dict[str, int]]:
    wanted = {var.name for var in step.reads("tile")}
    stacks: dict[str, list[np.ndarray]] = {}
    leads: dict[str, tuple[str, ...]] = {}
    rows, cols = [], []
    most = max(1, needs.pixels // (needs.patch * needs.patch * len(materials)))
    for material in materials:
        cells = lattice(material.frame.height, material.frame.width, needs.patch)
        order = generator(material.frame.seed, step.id, 2).permutation(len(cells))
        labels = _labels(step, material)
        if labels is not None:  # patches with labels first, up to half of them
            first = order[labels.held_by([cells[i] for i in order])][: max(1, most // 2)]
            order = np.concatenate([first, order[~np.isin(order, first)]])
        boxes = [cells[i] for i in sorted(order[:most])]
        for box, (rasters, _) in zip(boxes, _run(step, before, material, boxes), strict=True):
            if np.isnan(rasters["spectra"].values).all():
                continue
            rows.append(box.y0)
            cols.append(box.x0)
            for name in wanted & rasters.keys() | {"spectra"}:
                values = rasters[name].values
                whole = np.full(
                    (*values.shape[:-2], needs.patch, needs.patch), fill_value(values.dtype.name), values.dtype
                )
                whole[..., : box.height, : box.width] = values
                leads[name] = rasters[name].lead
                stacks.setdefault(name, []).append(whole)
    if not rows:
        raise SceneError("no patch of the sample has a valid pixel", "a scene with valid pixels", "See `hsgeo info`")
    sample = xr.Dataset(
        {name: (("patch", *leads[name], "y", "x"), np.stack(values)) for name, values in stacks.items()},
        coords=_band_coords(layout) | {"row": ("patch", np.array(rows)), "col": ("patch", np.array(cols))},
    )
    return sample, {"patches": len(rows)}


def _reduce(
    step: Step,
    needs: FitNeeds,
    layout: Layout,
    before: Sequence[PlannedStep],
    materials: Sequence[Material],
    shared: Mapping[str, xr.DataArray],
    ctx: Fitting,
) -> xr.Dataset:
    stage: Any = step.stage
    if not (hasattr(stage, "partial") and hasattr(stage, "combine")):
        raise PluginError(f"stage {step.id!r} wants a reduce fit", "a stage with the methods partial and combine")
    wanted = {var.name for var in step.reads("tile")}
    previous: xr.Dataset | None = None
    work = [
        (material, box)
        for material in materials
        for box in lattice(material.frame.height, material.frame.width, REDUCE_BLOCK)
    ]
    for turn in range(needs.passes):
        total: xr.Dataset | None = None
        for done, (material, box) in enumerate(work):
            ((rasters, _),) = _run(step, before, material, [box])
            tile = xr.Dataset(
                {
                    name: ((*rasters[name].lead, "y", "x"), rasters[name].values)
                    for name in sorted(wanted & rasters.keys() | {"spectra"})
                },
                coords=_band_coords(layout) | {"row": box.y0, "col": box.x0},
            ).assign(shared)
            part = stage.partial(tile, previous, ctx)
            total = part if total is None else stage.combine(total, part)
            ctx.report((turn * len(work) + done + 1) / (needs.passes * len(work)), f"pass {turn + 1}")
        assert total is not None  # a scene has at least one block
        previous = stage.fit(total.assign(shared), ctx)
    assert previous is not None
    return previous
