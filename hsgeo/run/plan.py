"""The plan: from a scene and fitted states to what every tile follows. Reads no pixel."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.plugin.needs import Layout, VarSpec
from hsgeo.plugin.onefile import reduce_with_sources
from hsgeo.plugin.quality import Quality
from hsgeo.plugin.registry import Registry
from hsgeo.run.quantity import check_quantity, check_same_quantity
from hsgeo.stages.apply import Frame, PlannedStep
from hsgeo.stages.chain import build_chain
from hsgeo.stages.fitting import plan_step, stage_layout
from hsgeo.stages.recipe import Recipe, SceneOptions
from hsgeo.stages.source import Source
from hsgeo.stages.validity import possible

__all__ = ["Plan", "check_same_bands", "good_only", "make_plan", "mask_bits", "state_recipe"]

SAME_BAND = 2.0  # nm: scenes of one sensor differ by less (smile, recalibration); another sensor differs by more


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to fill a tile. Picklable; holds no pixels.

    Parameters
    ----------
    token : str
        Unique; the key of the kernel cache.
    frame : Frame
        Size, good bands, mask, seed.
    steps : tuple of PlannedStep
        The chain, fitted.
    layout : Layout
        As the last step sees it.
    scene_vars : dict of str to xarray.DataArray
        Scene-scope variables, good bands only.
    noise_level : float
        Standard deviation of the noise, mean over the good bands.
    signal_level : float
        Root mean square of the data.
    specs : dict of str to VarSpec
        Tile variables of the product, ``rmse`` and ``quality`` included.
    coords : dict of str to tuple
        Labels of their extra dims.
    on_tile_error : str
        ``"raise"`` or ``"mask"``.
    sources : tuple of str
        Files of one-file plugins that a worker loads first.
    """

    token: str
    frame: Frame
    steps: tuple[PlannedStep, ...]
    layout: Layout
    scene_vars: Mapping[str, xr.DataArray]
    noise_level: float
    signal_level: float
    specs: Mapping[str, VarSpec]
    coords: Mapping[str, tuple]
    on_tile_error: str = "raise"
    sources: tuple[str, ...] = field(default=())

    def __reduce__(self) -> Any:
        """Let a worker load the files of one-file plugins before it unpickles their stages."""
        return reduce_with_sources(Plan, {f.name: getattr(self, f.name) for f in fields(self)}, self.sources)


def mask_bits(options: SceneOptions) -> int:
    """Return the quality bits that leave a pixel out."""
    bits = 0
    for name in options.mask:
        bits |= int(Quality[name.upper()])
    return bits


def good_only(variables: Mapping[str, xr.DataArray], good: np.ndarray) -> dict[str, xr.DataArray]:
    """Return scene-scope variables on the good bands only."""
    return {name: var.isel(band=np.flatnonzero(good)) if "band" in var.dims else var for name, var in variables.items()}


def check_same_bands(first: xr.Dataset, other: xr.Dataset) -> None:
    """Refuse scenes with other bands than those of the fit."""
    a, b = first["wavelength"].values, other["wavelength"].values
    if a.size != b.size or np.abs(a - b).max() > SAME_BAND:
        raise ConfigError(
            f"the scene has {b.size} bands ({b.min():.0f}-{b.max():.0f} nm), the fit {a.size} "
            f"({a.min():.0f}-{a.max():.0f} nm)",
            f"the same bands within {SAME_BAND:g} nm",
            "Fit again on this scene, or give the endmembers as a library (--endmembers), which is resampled",
        )


def state_recipe(state: Mapping[str, xr.Dataset]) -> Recipe:
    """Return the recipe that a state was fitted with.

    Raises
    ------
    ConfigError
        If this is no state of hsgeo.
    """
    if "scene" not in state or "recipe" not in state["scene"].attrs:
        raise ConfigError("the state has no 'scene' part with its recipe", "what hsgeo.fit returned, or a product")
    return Recipe.model_validate(json.loads(state["scene"].attrs["recipe"]))


def make_plan(
    scene: xr.Dataset,
    state: Mapping[str, xr.Dataset],
    registry: Registry,
    *,
    seed: int | None = None,
    on_tile_error: str = "raise",
) -> Plan:
    """Plan the tiles of a scene from fitted states; reads no pixel.

    Parameters
    ----------
    scene : xarray.Dataset
        The scene.
    state : dict of str to xarray.Dataset
        From `fit_chain`.
    registry : Registry
        Where the stages are.
    seed : int, optional
        Other than the recipe's.
    on_tile_error : {"raise", "mask"}
        What a failing tile does.

    Returns
    -------
    Plan
        What workers follow.
    """
    recipe = state_recipe(state)
    options, shared = recipe.scene.with_, state["scene"]
    check_quantity(scene, options)
    check_same_bands(shared, scene)
    check_same_quantity(shared.attrs, scene)
    source = Source.of(scene)
    good = shared["good"].values.astype(bool)
    frame = Frame(
        source.height,
        source.width,
        good,
        mask_bits(options),
        recipe.seed if seed is None else seed,
        possible(str(shared.attrs["quantity"])),
    )
    given = {name: shared[name] for name in ("endmembers", "library") if name in shared}
    scene_vars: dict[str, xr.DataArray] = good_only(given, good)
    planned: list[PlannedStep] = []
    for step in build_chain(recipe, registry):
        learnt = state.get(step.id, xr.Dataset())
        layout = stage_layout(frame, shared, scene_vars)
        written = {
            name: learnt[name].assign_attrs(spec.attrs)
            for name, spec in step.outputs(layout).items()
            if spec.scope == "scene" and name in learnt
        }
        scene_vars = {**scene_vars, **written}
        planned.append(plan_step(step, stage_layout(frame, shared, scene_vars), learnt, scene_vars))
    specs: dict[str, VarSpec] = {}
    coords: dict[str, tuple] = {}
    for p in planned:
        for name, spec in p.specs.items():
            if name == "spectra":  # corrected data are what later steps see, no part of the product
                continue
            if name in specs and _labels(name, specs[name], coords) != _labels(name, spec, p.coords):
                raise ConfigError(f"step {p.step.id!r} writes {name!r} over other labels than a step before it")
            specs[name] = spec
            coords.update({dim: tuple(p.coords[dim]) for dim in spec.dims[:-2]})
    specs.setdefault("rmse", VarSpec(("y", "x")))
    specs["quality"] = VarSpec(("y", "x"), dtype="uint16")
    return Plan(
        token=uuid.uuid4().hex,
        frame=frame,
        steps=tuple(planned),
        layout=stage_layout(frame, shared, scene_vars),
        scene_vars=scene_vars,
        noise_level=float(shared.attrs.get("noise_level", 0.0)),
        signal_level=float(shared.attrs.get("signal_level", 0.0)),
        specs=specs,
        coords=coords,
        on_tile_error=on_tile_error,
        sources=registry.sources(),
    )


def _labels(name: str, spec: VarSpec, coords: Mapping[str, tuple]) -> list[tuple]:
    return [(dim, *coords[dim]) for dim in spec.dims[:-2]]
