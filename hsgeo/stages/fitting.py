"""Fits, in order: sample, fit, make its kernel, see the sample through it, fit the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoError, PluginError
from hsgeo.plugin.needs import FitNeeds, Layout
from hsgeo.stages.apply import Frame, PlannedStep
from hsgeo.stages.chain import Step
from hsgeo.stages.collect import band_coords, collect_patches, collect_pixels
from hsgeo.stages.context import Fitting
from hsgeo.stages.devices import pick_device
from hsgeo.stages.sample import lattice
from hsgeo.stages.view import Material, see

__all__ = ["fit_step", "plan_step", "stage_layout"]

REDUCE_BLOCK = 256  # side of the blocks of a reduce fit: an absolute lattice, so that no tiling changes the sums

Progress = Callable[[float, str], None]


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
        units=str(look.attrs.get("units", "1" if look.attrs["quantity"] == "reflectance" else "unknown")),
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
            collect = collect_pixels if needs.kind == "pixels" else collect_patches
            sample = collect(step, needs, layout, before, materials)
            report = sample.report
            ctx = replace(ctx, repeat=lambda change: sample.again(change).assign(shared))
            state = step.stage.fit(sample.data.assign(shared), ctx)
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
            (rasters,) = see(step, before, material, [box])
            tile = xr.Dataset(
                {
                    name: ((*rasters[name].lead, "y", "x"), rasters[name].values)
                    for name in sorted(wanted & rasters.keys() | {"spectra"})
                },
                coords=band_coords(layout) | {"row": box.y0, "col": box.x0},
            ).assign(shared)
            part = stage.partial(tile, previous, ctx)
            total = part if total is None else stage.combine(total, part)
            ctx.report((turn * len(work) + done + 1) / (needs.passes * len(work)), f"pass {turn + 1}")
        assert total is not None  # a scene has at least one block
        previous = stage.fit(total.assign(shared), ctx)
    assert previous is not None
    return previous
