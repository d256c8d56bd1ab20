"""Fit a recipe: sample the scenes once, fit the steps in order, return their states."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import Registry
from hsgeo.product.provenance import identify
from hsgeo.run.plan import check_same_bands, good_only, mask_bits, state_recipe
from hsgeo.run.quantity import check_library_quantity, check_quantity, check_same_quantity, doubt_of_size
from hsgeo.run.threads import pinned
from hsgeo.spectra.library import resample_library
from hsgeo.stages.apply import Frame, PlannedStep
from hsgeo.stages.bands import MISSING, declared_good, look, useful_share
from hsgeo.stages.chain import Step, build_chain, check_chain, drop_endmember_steps
from hsgeo.stages.fitting import fit_step, plan_step, stage_layout
from hsgeo.stages.labels import Labels, class_spectra
from hsgeo.stages.recipe import Recipe, SceneOptions
from hsgeo.stages.sample import Patch, draw, top_up
from hsgeo.stages.source import Source
from hsgeo.stages.validity import possible
from hsgeo.stages.view import Material

__all__ = ["State", "fit_chain", "scene_identity"]

ZEROS = 0.01  # share of all-zero pixels worth a word; on real scenes single pixels of deep water are 0 in every band


class State(dict[str, xr.Dataset]):
    """Fit states by step id; ``"scene"`` holds what all share (good bands, noise, given endmembers, recipe).

    Besides the mapping, which is all that is ever stored, it remembers the identities of the scenes it was
    fitted on, so that unmixing one of them right away does not read its sample again.
    """

    def __init__(
        self, states: Mapping[str, xr.Dataset], seen: Sequence[tuple[xr.Dataset, dict[str, Any]]] = ()
    ) -> None:
        super().__init__(states)
        self._seen = tuple(seen)

    def identity(self, scene: xr.Dataset) -> dict[str, Any] | None:
        """Return the identity of a scene that this state was fitted on."""
        return next((known for held, known in self._seen if held is scene), None)


SAME_BAND = 2.0  # nm: scenes of one sensor differ by less (smile, recalibration); another sensor differs by more


def _given_vars(
    library: xr.Dataset | None, steps: Sequence[Step], look_: xr.Dataset, scene: xr.Dataset
) -> tuple[dict[str, xr.DataArray], np.ndarray]:
    """Bring given spectra to the scene's bands; return scene variables (all bands) and the bands they cover."""
    good = look_["good"].values
    if library is None:
        return {}, good
    spectra = resample_library(library, look_["wavelength"].values, look_["fwhm"].values)
    values = spectra["spectra"].transpose("spectrum", "band")
    covered = good & np.isfinite(values.values).all(axis=0)
    if not covered.any():
        raise ConfigError(
            "the given endmembers share no band with the scene",
            f"spectra within {look_['wavelength'].values[good].min():.0f}-"
            f"{look_['wavelength'].values[good].max():.0f} nm",
            "Check the wavelengths and units of the library",
        )
    if any(var.name == "library" for step in steps for var in step.record.reads):
        return {"library": values}, covered
    count, bands = values.sizes["spectrum"], int(covered.sum())
    strict = [
        step.id
        for step in steps
        if any(var.name == "endmembers" for var in step.record.reads) and not step.record.overcomplete
    ]
    if count > bands and strict:
        raise ConfigError(
            f"{count} endmembers were given for {bands} bands, which is more than {strict[0]!r} can tell apart",
            "at most as many endmembers as good bands, or stages made for libraries, such as sunsal or mesma",
            "Choose some with --select, or another recipe",
        )
    names = [str(name) for name in spectra["name"].values]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"two endmembers are called {twice!r}", "names that differ", "Use --rename or --select")
    E = xr.DataArray(
        values.values.astype(np.float32),
        dims=("endmember", "band"),
        coords={"endmember": np.array(names)},
        attrs={"scale": library.attrs["scale"]} if library.attrs.get("scale") in ("physical", "peak") else {},
    )
    return {"endmembers": E}, covered


def fit_chain(
    scenes: Sequence[xr.Dataset],
    recipe: Recipe,
    registry: Registry,
    *,
    library: xr.Dataset | None = None,
    labels: Labels | None = None,
    say_dropped: bool = True,
    notice: Callable[[str], None] = lambda text: None,
    progress: Callable[[str, float], None] = lambda step, fraction: None,
) -> State:
    """Learn everything a recipe has to learn from scenes.

    Parameters
    ----------
    scenes : sequence of xarray.Dataset
        One scene, or several of the same bands.
    recipe : Recipe
        What to fit.
    registry : Registry
        Where the stages are.
    library : xarray.Dataset, optional
        Given endmembers, ``spectra (spectrum, band)``.
    labels : Labels, optional
        Labelled pixels of the one scene: its own spectra of the classes are the given endmembers.
    say_dropped : bool
        Whether stages that given endmembers make superfluous are worth a notice.
    notice : callable
        Told what the user should know.
    progress : callable
        Told the step and how far it is.

    Returns
    -------
    dict of str to xarray.Dataset
        The states.
    """
    options = recipe.scene.with_
    for scene in scenes:
        check_quantity(scene, options)
        check_same_bands(scenes[0], scene)
        check_same_quantity(scenes[0]["spectra"].attrs, scene)
    if library is not None:
        check_library_quantity(library, scenes[0])
    steps = build_chain(recipe, registry)
    given = {"spectra": "tile"} | ({"label": "tile"} if labels is not None else {})
    if library is not None or labels is not None:
        steps, dropped = drop_endmember_steps(steps)
        if dropped and say_dropped:
            notice(f"endmembers were given: {', '.join(dropped)} left out")
        reads_library = any(var.name == "library" for step in steps for var in step.record.reads)
        given["library" if reads_library else "endmembers"] = "scene"
    _check_before_reading(scenes[0], steps, options, recipe.seed, given)
    progress("sample", 0.0)
    materials, shared, seen = _materials(scenes, recipe, options)
    if labels is not None:
        library = class_spectra(labels, materials[0].source, materials[0].frame, shared)
        materials = [replace(material, labels=labels) for material in materials]
    extra, covered = _given_vars(library, steps, shared, scenes[0])
    if not np.array_equal(covered, shared["good"].values):
        lost = int(shared["good"].values.sum() - covered.sum())
        notice(f"the given endmembers do not cover {lost} good bands, which are left out")
        shared = shared.assign(good=("band", covered), noise=shared["noise"].where(xr.DataArray(covered, dims="band")))
        materials = [_with_good(material, covered) for material in materials]
    if shared.attrs["zero_share"] > ZEROS:
        notice(
            f"{100 * shared.attrs['zero_share']:.0f} % of the sample is exactly 0 in every band and taken as measured; "
            "if that is nodata, say so (reader option nodata=0, or ds.hsu.standardize(nodata=0))"
        )
    if shared.attrs["noisy_bands"]:
        notice(
            f"{_named(shared.attrs['noisy_bands'])} are left out because they are far noisier than the others; "
            "scene.bad_bands decides otherwise"
        )
    if shared.attrs["lost_bands"]:
        notice(
            f"{_named(shared.attrs['lost_bands'])} are left out because more than {100 * MISSING:.0f} % of the valid "
            f"pixels lack them; {int(shared['good'].sum())} bands are used. Cut the scene (hsgeo subset) or set those "
            "pixels to NaN in all bands to keep them"
        )
    progress("sample", 1.0)
    shared = shared.assign(extra)
    if library is not None and "hsgeo_given" in library.attrs:  # where the endmembers come from, for the provenance
        shared.attrs["given"] = library.attrs["hsgeo_given"]
    if labels is not None and any(var.name == "label" for step in steps for var in step.record.reads):
        shared = shared.assign(labels.to_variables())
    state: dict[str, xr.Dataset] = {}
    scene_vars = good_only(extra, covered)
    planned: list[PlannedStep] = []
    with pinned():
        for step in steps:
            progress(step.id, 0.0)
            layout = stage_layout(materials[0].frame, shared, scene_vars)
            learnt, written, report = fit_step(
                step, layout, planned, materials, scene_vars, _report_to(progress, step.id)
            )
            if report:
                learnt = learnt.assign_attrs(sample=json.dumps(report, sort_keys=True))
            scene_vars = {**scene_vars, **written}
            if learnt.variables or learnt.attrs:
                state[step.id] = learnt
            layout = stage_layout(materials[0].frame, shared, scene_vars)
            planned.append(plan_step(step, layout, learnt, scene_vars))
            progress(step.id, 1.0)
    if library is not None and labels is None:
        (spectra,) = (array.values for array in extra.values())
        doubt = doubt_of_size(spectra, library.attrs, scenes[0], materials[0].patches, planned, covered)
        if doubt is not None:
            notice(doubt)
    dropped_recipe = recipe.model_copy(
        update={"stages": tuple(u for u in recipe.stages if u.key in {s.id for s in steps})}
    )
    state["scene"] = shared.assign_attrs(recipe=json.dumps(dropped_recipe.dump(), sort_keys=True))
    return State(state, seen)


def _identity(scene: xr.Dataset, patches: Sequence[Patch]) -> dict[str, Any]:
    return identify(scene, np.concatenate([p.spectra.reshape(p.spectra.shape[0], -1) for p in patches], axis=1))


def scene_identity(scene: xr.Dataset, state: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Identify a scene by a hash of its sample, which is read unless ``state`` was fitted on this very scene."""
    known = state.identity(scene) if isinstance(state, State) else None
    return known or _identity(scene, draw(Source.of(scene), state_recipe(state).seed))


def _named(wavelengths: str) -> str:
    """Count bands and name the first of them."""
    found = json.loads(wavelengths)
    return f"{len(found)} bands ({', '.join(f'{w:.0f}' for w in found[:6])}{' ...' if len(found) > 6 else ''} nm)"


def _report_to(progress: Callable[[str, float], None], step: str) -> Callable[[float, str], None]:
    return lambda fraction, _text: progress(step, fraction)


def _check_before_reading(
    scene: xr.Dataset, steps: Sequence[Step], options: SceneOptions, seed: int, given: Mapping[str, str]
) -> None:
    good = declared_good(scene, options)
    source = Source.of(scene)
    frame = Frame(source.height, source.width, good, mask_bits(options), seed, np.inf)
    preview = xr.Dataset(
        coords={"wavelength": ("band", scene["wavelength"].values), "fwhm": ("band", np.full(good.size, np.nan))},
        attrs={"quantity": "reflectance"},
    )
    check_chain(steps, stage_layout(frame, preview, {}), given)


def _materials(
    scenes: Sequence[xr.Dataset], recipe: Recipe, options: SceneOptions
) -> tuple[list[Material], xr.Dataset, list[tuple[xr.Dataset, dict[str, Any]]]]:
    sources = [Source.of(scene) for scene in scenes]
    share = 1 / len(sources)
    drawn = [draw(source, recipe.seed, share=share) for source in sources]
    patches = [
        [*first, *top_up(source, recipe.seed, first, useful_share(scene, first, options), share=share)]
        for scene, source, first in zip(scenes, sources, drawn, strict=True)
    ]
    shared = look(scenes[0], [patch for group in patches for patch in group], options)
    good, mask, limit = shared["good"].values, mask_bits(options), possible(shared.attrs["quantity"])
    materials = [
        Material(
            source,
            tuple(group),
            Frame(source.height, source.width, good, mask, recipe.seed, limit),
            shared,
            options.screen,
        )
        for source, group in zip(sources, patches, strict=True)
    ]
    return materials, shared, [(scene, _identity(scene, first)) for scene, first in zip(scenes, drawn, strict=True)]


def _with_good(material: Material, good: np.ndarray) -> Material:
    return replace(material, frame=replace(material.frame, good=good))
