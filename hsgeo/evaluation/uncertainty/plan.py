"""Which runs an uncertainty benchmark consists of, and doing one of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo._version import __version__
from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.recipes import Contender
from hsgeo.evaluation.accuracy.scenes import add_noise, as_scene
from hsgeo.evaluation.noise.closed import in_convention
from hsgeo.evaluation.noise.code import imports_digest
from hsgeo.evaluation.noise.methods import CLOSED_FORM
from hsgeo.evaluation.noise.stages import content_of, resolve
from hsgeo.evaluation.uncertainty import tally as tallying
from hsgeo.evaluation.uncertainty.scenes import WORLDS, UnseenScene, World, unseen_scene
from hsgeo.evaluation.uncertainty.statement import Statement, silent, statement_of
from hsgeo.plugin.needs import Layout
from hsgeo.plugin.registry import Registry, registry
from hsgeo.spectra.solvers.estimate import estimate, mixing
from hsgeo.stages.chain import build_chain, drop_endmember_steps
from hsgeo.stages.recipe import load_recipe

__all__ = ["COLUMNS", "KEYS", "Case", "key_of", "left_over", "plan_cases", "run_case"]

KEYS = ("scene", "method", "truth", "snr_db", "seed", "config")
"""Columns that identify a row; ``config`` stands for the scene's settings, the version, the options, the code and the
weights."""

COLUMNS = (*KEYS, "scale", *tallying.COLUMNS, "seconds", "version")
"""Columns of the CSV: one row per run and truth."""

Row = dict[str, Any]

_WRITTEN = ("abundance", "abundance_std", "abundance_quantile", "abundance_sample")
_OWN = ("hsgeo.evaluation.uncertainty", "hsgeo.synthetic", "hsgeo.spectra")  # packages that rows hang on


@dataclass(frozen=True)
class Case:
    """One run.

    Parameters
    ----------
    scene, method : str
        Name of the world, and of a method that `resolve` takes, or ``"closed-form"``.
    snr_db : float
        Of the white noise, finite.
    seed : int
        Of the scene, the noise and everything random.
    plugins : tuple of pathlib.Path
        One-file plugins to load.
    config : str
        What the result hangs on, digested.
    """

    scene: str
    method: str
    snr_db: float
    seed: int
    plugins: tuple[Path, ...]
    config: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the run the one it is, as a CSV holds it; its rows have a truth besides."""
        return (self.scene, self.method, f"{self.snr_db:g}", str(self.seed), self.config)


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a row's run the one it is, as text; both truths of a run have the same."""
    return tuple(str(row[name]) for name in KEYS if name != "truth")


def plan_cases(
    scenes: Sequence[str],
    methods: Sequence[str],
    levels: Sequence[float],
    seeds: int,
    *,
    plugins: tuple[Path, ...] = (),
) -> list[Case]:
    """List the runs; every name, option and file is checked before the first one begins.

    Parameters
    ----------
    scenes : sequence of str
        Names of `WORLDS`.
    methods : sequence of str
        Stages and recipes as `resolve` takes them. The closed form with the noise's first-order error is always there.
    levels : sequence of float
        SNR in dB, finite: without noise there is nothing to state.
    seeds : int
        Seeds 0, 1, ... of every combination; each is another scene.
    plugins : tuple of pathlib.Path
        One-file plugins that the methods need.

    Returns
    -------
    list of Case
        Scene after scene, so that each is drawn once.

    Raises
    ------
    ConfigError, RecipeError
        Something of it does not exist or does not fit.
    """
    if seeds < 1 or not scenes or not levels:
        raise ConfigError(f"{len(scenes)} scenes, {len(levels)} noise levels, {seeds} seeds", "at least one of each")
    if not np.isfinite(levels).all():
        raise ConfigError("a noise level of inf", "finite levels in dB", "Without noise there is nothing to state")
    for name in scenes:
        if name not in WORLDS:
            raise ConfigError(f"there is no unseen scene {name!r}", ", ".join(WORLDS), "Choose with --scenes")
    known = registry(plugins)
    own = imports_digest((__name__,), _OWN)
    cases = []
    for world in dict.fromkeys(scenes):
        configs = {}
        for method in dict.fromkeys([CLOSED_FORM, *methods]):
            peak = WORLDS[world].peak
            content = ""
            if method != CLOSED_FORM:
                found = resolve(method, known, scale=_scale(peak))
                _check_states(found, known, WORLDS[world])
                content = content_of(found, known)
            text = f"{__version__} {WORLDS[world]!r} {own} {content}"
            configs[method] = hashlib.sha256(text.encode()).hexdigest()[:12]
        cases += [
            Case(world, method, snr_db, seed, plugins, config)
            for seed in range(seeds)
            for snr_db in dict.fromkeys(levels)
            for method, config in configs.items()
        ]
    return cases


def _check_states(found: Contender, known: Registry, world: World) -> None:
    """Refuse what states no uncertainty, before anything runs."""
    steps, _ = drop_endmember_steps(build_chain(load_recipe(found.recipe, known), known))
    wavelength = tuple(map(float, world.wavelength))
    layout = Layout(*world.size, wavelength, (nan,) * len(wavelength), endmembers=world.names, scale=found.scale)
    if not {name for step in steps for name in step.outputs(layout)} & {"abundance_sample", "abundance_std"}:
        raise silent(found.name)


def left_over(cases: Sequence[Case], rows: Sequence[Mapping[str, Any]]) -> list[Case]:
    """Return the cases that no row holds yet.

    Parameters
    ----------
    cases : sequence of Case
        All.
    rows : sequence of mapping
        Of the CSV.

    Returns
    -------
    list of Case
        In order; one of which only one truth was written, too.
    """
    found = [key_of(row) for row in rows]
    return [case for case in cases if found.count(case.key) < 2]


def run_case(case: Case, *, fit: Callable[..., Any], unmix: Callable[..., xr.Dataset]) -> list[Row]:
    """Do one run.

    Parameters
    ----------
    case : Case
        From `plan_cases`.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``: what is measured is what users run.

    Returns
    -------
    list of dict
        Rows of `COLUMNS`, one per truth.

    Raises
    ------
    ConfigError
        The method states no uncertainty.
    """
    scene = unseen_scene(case.scene, case.seed)
    image = add_noise(scene.image, case.snr_db, seed=case.seed, name=f"unseen {case.scene}")
    began = time.perf_counter()
    if case.method == CLOSED_FORM:
        stated = _closed(image, scene, case.snr_db)
    else:
        stated = _ran(image, scene, case, fit=fit, unmix=unmix)
    seconds = round(time.perf_counter() - began, 3)
    rows = []
    for truth, A in scene.truths.items():
        row: Row = dict(zip((name for name in KEYS if name != "truth"), case.key, strict=True)) | {"truth": truth}
        for name, value in tallying.tally(stated, A).items():
            row[name] = round(value, 6) if isinstance(value, float) else value
        row |= {"scale": _scale(scene.peak), "seconds": seconds, "version": __version__}
        rows.append({name: row[name] for name in COLUMNS})
    return rows


def _closed(image: np.ndarray, scene: UnseenScene, snr_db: float) -> Statement:
    """State the closed form, and what noise makes of it to first order, its level told."""
    power = float(np.mean(np.square(scene.image, dtype=np.float64)))
    noise = np.full(scene.wavelength.size, np.sqrt(power * 10 ** (-snr_db / 10)))
    mix = mixing(in_convention(scene.E, peak=scene.peak), noise, peak=scene.peak)
    found = estimate(np.ascontiguousarray(image.reshape(-1, scene.wavelength.size).T), mix)
    return Statement(found.closed.T.astype(np.float64), found.std.T.astype(np.float64), None, {})


def _ran(
    image: np.ndarray,
    scene: UnseenScene,
    case: Case,
    *,
    fit: Callable[..., Any],
    unmix: Callable[..., xr.Dataset],
) -> Statement:
    found = resolve(case.method, registry(case.plugins), scale=_scale(scene.peak))
    given = xr.Dataset(
        {"spectra": (("spectrum", "band"), in_convention(scene.E, peak=scene.peak).T)},
        {"name": ("spectrum", list(scene.names)), "wavelength": ("band", scene.wavelength)},
        {"scale": found.scale},
    )
    cube = as_scene(image, scene.wavelength)
    state = fit(cube, recipe=found.recipe, seed=case.seed, endmembers=given, notice=_silent)
    product = unmix(cube, state=state, seed=case.seed, notice=_silent)
    written = product[[name for name in _WRITTEN if name in product]]
    return statement_of(written.compute(), scene.names, method=case.method)


def _scale(peak: bool) -> str:
    return "peak" if peak else "physical"


def _silent(text: str) -> None:
    pass
