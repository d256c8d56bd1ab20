"""A stage under test: the record, its options, what it reads, and what came of it on a tiny scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.plugin import Kernel, Layout, Needs, Stage, StageRecord, VarSpec
from hsgeo.plugin.registry import Registry, registry
from hsgeo.testing import bench
from hsgeo.testing.scenes import Known, known_scene

__all__ = ["StageCase"]


class StageCase:
    """A stage with everything a law needs; what is costly is made once and shared by the laws.

    Parameters
    ----------
    name : str
        Of the stage.
    options : mapping, optional
        Its options.
    before, after : sequence of mapping
        Stages around it, each ``{"use": ..., "with": {...}, "id": ...}``. Endmembers or a library that none of them
        writes are given from the truth.
    files : sequence of str
        One-file plugins to load first.
    known : Known, optional
        Scene; the default is `known_scene`, large enough for the stage's windows.
    angle : float
        Largest spectral angle between a true endmember and its match, radian (law of truth).
    error : float
        Largest root mean square error of abundances (law of truth).
    seed : int
        Of the run.
    """

    def __init__(
        self,
        name: str,
        *,
        options: Mapping[str, Any] | None = None,
        before: Sequence[Mapping[str, Any]] = (),
        after: Sequence[Mapping[str, Any]] = (),
        files: Sequence[str] = (),
        known: Known | None = None,
        angle: float = 0.1,
        error: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.name, self.values, self.files, self.seed = name, dict(options or {}), tuple(files), seed
        self.before, self.after = tuple(before), tuple(after)
        self.angle, self.error = angle, error
        self._known = known

    # ---- the stage -----------------------------------------------------------------------------------------------

    @property
    def registry(self) -> Registry:
        """The registry of the process with the case's files."""
        return registry(self.files)

    @property
    def record(self) -> StageRecord:
        """The stage's record."""
        return self.registry.stage(self.name)

    def stage(self) -> Stage:
        """Make a fresh definition."""
        return _build(self.registry, self.name, self.values)

    # ---- what it reads -------------------------------------------------------------------------------------------

    @cached_property
    def known(self) -> Known:
        """The scene and its truth."""
        if self._known is not None:
            return self._known
        known = known_scene()
        window = self.stage().needs(_layout(known, self._given_names(known))).window
        if window is None:
            return known
        # three windows and a bit each way: there is a pixel outside the windows of another, and an unfilled edge
        return known_scene(height=max(24, 3 * window.size + 1), width=max(20, 2 * window.size + 3))

    @cached_property
    def needs_library(self) -> bool:
        """Whether a stage of the chain reads a library."""
        return any(var.name == "library" for use in self._uses for var in self.registry.stage(use).reads)

    @cached_property
    def needs_endmembers(self) -> bool:
        """Whether a stage reads endmembers that none before it writes."""
        for use in self._uses:
            record = self.registry.stage(use)
            if any(var.name == "endmembers" and not var.optional for var in record.reads):
                return True
            if any(var.name == "endmembers" for var in record.writes):
                return False
        return False

    def given(self) -> xr.Dataset | None:
        """Return what `hsgeo.unmix` gets as ``endmembers``: a library from the truth, if the chain wants one."""
        if self.needs_library:
            return self.known.library(variants=2)
        return self.known.library() if self.needs_endmembers else None

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The chain as `hsgeo.unmix` takes it, the stage under test with the id ``case``."""
        own = {"use": self.name, "with": self.values, "id": "case"}
        return [dict(step) for step in (*self.before, own, *self.after)]

    @cached_property
    def inputs(self) -> bench.Inputs:
        """What the stage reads, the stages before it done."""
        known = self.known
        names = self._given_names(known)
        library = known.library(variants=2)
        scenes: dict[str, xr.DataArray] = {}
        if names:
            scenes["endmembers"] = known.endmembers.drop_vars(["endmember", "band", "wavelength", "fwhm"])
        if self.needs_library:
            scenes["library"] = library["spectra"].drop_vars(list(library.coords))
        tiles = {"spectra": known.scene["spectra"].drop_vars(list(known.scene.coords))}
        coords: dict[str, tuple[str, Any]] = {
            "wavelength": ("band", known.endmembers.wavelength.values),
            "fwhm": ("band", known.endmembers.fwhm.values),
        }
        if names:
            coords["endmember"] = ("endmember", list(names))
        if self.needs_library:
            coords["class"] = ("spectrum", library["class"].values)
        layout = _layout(known, names, self.needs_library)
        inputs = bench.Inputs(layout, tiles, scenes, self.seed, "case", coords, measured=tiles["spectra"])
        for step in self.before:
            inputs = _advance(self.registry, replace(inputs, stage=step.get("id", step["use"])), step)
        inputs = replace(inputs, stage="case")
        missing = [
            v.name for v in self.record.reads if not v.optional and v.name not in {**inputs.tiles, **inputs.scenes}
        ]
        if missing:
            raise ConfigError(
                f"the check of stage {self.name!r} has no {missing[0]!r} to give it",
                "endmembers and a library come from the truth, all else from the stages in before=",
                "Name a stage in before= that writes it",
            )
        return inputs.reads(self.record)

    # ---- what came of it -----------------------------------------------------------------------------------------

    @cached_property
    def state(self) -> xr.Dataset:
        """State of a fit on the whole scene."""
        return bench.fit(self.stage(), self.inputs)

    @cached_property
    def layout(self) -> Layout:
        """Layout after the fit."""
        return bench.layout_after(self.inputs.layout, self.stage(), self.state)

    @cached_property
    def needs(self) -> Needs:
        """Needs after the fit."""
        return self.stage().needs(self.layout)

    @cached_property
    def specs(self) -> dict[str, VarSpec]:
        """Declared tile-scope outputs after the fit."""
        return bench.outputs(self.stage(), self.layout, "tile")

    @cached_property
    def kernel(self) -> Kernel:
        """A kernel; only for stages that write tiles."""
        kernel = bench.kernel(self.stage(), self.state, self.inputs)
        assert kernel is not None, f"stage {self.name!r} declares tile outputs, but setup() returns no kernel"
        return kernel

    @cached_property
    def result(self) -> dict[str, xr.DataArray]:
        """Tile-scope outputs ``(..., y, x)`` on the whole scene."""
        return bench.apply_scene(self.kernel, self.inputs, self.needs, self.specs)

    def apply(self, inputs: bench.Inputs, **how: Any) -> dict[str, xr.DataArray]:
        """Apply the shared kernel to other inputs."""
        return bench.apply_scene(self.kernel, inputs, self.needs, self.specs, **how)

    @property
    def _uses(self) -> tuple[str, ...]:
        return (*(step["use"] for step in self.before), self.name)

    def _given_names(self, known: Known) -> tuple[str, ...] | None:
        given = self.needs_endmembers and not self.needs_library
        return tuple(str(name) for name in known.endmembers.endmember.values) if given else None


def _build(reg: Registry, name: str, values: Mapping[str, Any]) -> Stage:
    record = reg.stage(name)
    model = reg.options(record)
    if model is None and values:
        raise ConfigError(f"stage {name!r} got options", "none: its record names no options model")
    stage: Stage = reg.load(record)(model.model_validate(dict(values)) if model else None)
    return stage


def _layout(known: Known, endmembers: tuple[str, ...] | None, library: bool = False) -> Layout:
    sizes = known.scene["spectra"].sizes
    return Layout(
        sizes["y"],
        sizes["x"],
        tuple(map(float, known.endmembers.wavelength.values)),
        tuple(map(float, known.endmembers.fwhm.values)),
        endmembers=endmembers,
        classes=tuple(str(name) for name in known.endmembers.endmember.values) if library else None,
    )


def _advance(reg: Registry, inputs: bench.Inputs, step: Mapping[str, Any]) -> bench.Inputs:
    """Run one stage and add what it writes."""
    record = reg.stage(step["use"])
    stage = _build(reg, step["use"], step.get("with", {}))
    own = inputs.reads(record)
    state = bench.fit(stage, own)
    layout = bench.layout_after(inputs.layout, stage, state)
    written = bench.outputs(stage, layout, "scene")
    scenes = dict(inputs.scenes) | {
        name: state[name].drop_vars(list(state[name].coords)).assign_attrs(spec.attrs) for name, spec in written.items()
    }
    coords = dict(inputs.coords)
    if layout.endmembers:
        coords["endmember"] = ("endmember", list(layout.endmembers))
    specs = bench.outputs(stage, layout, "tile")

    def run(tiles: Mapping[str, xr.DataArray]) -> Mapping[str, xr.DataArray]:
        worker = bench.kernel(stage, state, own)
        if worker is None:
            return tiles
        mine = replace(own, tiles={name: tiles[name] for name in own.tiles})
        made = bench.apply_scene(worker, mine, stage.needs(layout), specs)
        worker.close()
        return {**tiles, **made}

    before = (*inputs.before, run)
    tiles = run(inputs.tiles)
    return replace(inputs, layout=layout, tiles=tiles, scenes=scenes, coords=coords, before=before)
