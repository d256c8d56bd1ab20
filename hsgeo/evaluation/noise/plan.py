"""Which runs a noise benchmark consists of, and which of them a CSV holds already."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo._version import __version__
from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.scenes import BenchScene, add_noise
from hsgeo.evaluation.conventions import scale_of_convention
from hsgeo.evaluation.noise.code import imports_digest
from hsgeo.evaluation.noise.corrupt import KINDS
from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD
from hsgeo.evaluation.noise.scenes import expand, load
from hsgeo.evaluation.noise.stages import content_of, resolve
from hsgeo.plugin.registry import registry

__all__ = ["COLUMNS", "KEYS", "Case", "key_of", "left_over", "plan_cases", "scale_of"]

KEYS = ("scene", "method", "noise", "snr_db", "seed", "config")
"""Columns that identify a run; ``config`` stands for the scene's content, the options, the code and the weights."""

COLUMNS = (
    *KEYS, "convention", "scale", "armse", "mrmse", "pixel_rmse", "mae", "sre_db", "missing", "weight", "form",
    "window", "border", "border_truth", "border_spread", "seconds", "device", "version",
)  # fmt: skip
"""Columns of the CSV, one row per run; those of borders (`hsgeo.evaluation.noise.marks.borders`) are empty where the
method has no windows or the scene is not larger than one."""

_ROOTS = ("hsgeo.evaluation.noise.corrupt", "hsgeo.evaluation.noise.methods", "hsgeo.spectra.metrics.abundances")
_WITHIN = ("hsgeo.evaluation.noise", "hsgeo.spectra.solvers", "hsgeo.spectra.simplex", "hsgeo.spectra.metrics")
_STAGES = "hsgeo.evaluation.noise.stages"


@dataclass(frozen=True)
class Case:
    """One run.

    Parameters
    ----------
    scene, method, noise : str
        Names of the scene, of a built-in method or what `resolve` takes, and of the kind of noise.
    snr_db : float
        Infinity: no noise.
    seed : int
        Of the noise and everything random.
    data : pathlib.Path or None
        Folder of the scenes.
    plugins : tuple of pathlib.Path
        One-file plugins to load.
    config : str
        What the result hangs on, digested.
    """

    scene: str
    method: str
    noise: str
    snr_db: float
    seed: int
    data: Path | None
    plugins: tuple[Path, ...]
    config: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the run the one it is, as a CSV holds it."""
        return (self.scene, self.method, self.noise, f"{self.snr_db:g}", str(self.seed), self.config)


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a row's run the one it is, as text."""
    return tuple(str(row[name]) for name in KEYS)


def plan_cases(
    scenes: Sequence[str],
    methods: Sequence[str],
    levels: Sequence[float],
    seeds: int,
    *,
    kind: str = "white",
    first_seed: int = 0,
    data: Path | None,
    plugins: tuple[Path, ...] = (),
) -> list[Case]:
    """List the runs; every name, option and file is checked before the first one begins.

    Parameters
    ----------
    scenes : sequence of str
        Names that `hsgeo.evaluation.noise.scenes.load` knows, and words of `GROUPS`.
    methods : sequence of str
        Of `BUILT_IN`, or stages and recipes as `resolve` takes them. The closed form is always there.
    levels : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Runs of every combination; without noise, what has nothing random needs only one.
    kind : str
        Of `KINDS`.
    first_seed : int
        Seeds are this and those that follow: figures are not to be taken on the noise that choices were made on.
    data : pathlib.Path or None
        Folder of the scenes; synthetic ones need none.
    plugins : tuple of pathlib.Path
        One-file plugins that the methods need.

    Returns
    -------
    list of Case
        Method after method, the closed form first.

    Raises
    ------
    ConfigError, RecipeError
        Something of it does not exist or does not fit.
    """
    if seeds < 1 or first_seed < 0 or not scenes or not levels:
        raise ConfigError(
            f"{len(scenes)} scenes, {len(levels)} noise levels, {seeds} seeds from {first_seed}",
            "at least one of each",
        )
    if kind not in KINDS:
        raise ConfigError(f"noise of the kind {kind!r}", ", ".join(KINDS), "Choose with --noise-kind")
    known = registry(plugins)
    loaded = [load(name, data) for name in expand(scenes)]
    own, told = _digest(), _digest(_STAGES)
    cases = []
    for method in dict.fromkeys([CLOSED_FORM, *methods]):
        fixed = method == CLOSED_FORM or method in TOLD
        for scene in loaded:
            content = own  # a version tells nothing that the code does not, and would make old rows of rivals stale
            if not fixed:
                content = f"{__version__} {told} {content_of(resolve(method, known, scale=scale_of(scene)), known)}"
            config = hashlib.sha256(f"{scene.digest} {content}".encode()).hexdigest()[:12]
            cases += [
                Case(scene.name, method, kind, snr_db, seed, data, plugins, config)
                for snr_db in dict.fromkeys(levels)
                for seed in ([0] if fixed and np.isinf(snr_db) else range(first_seed, first_seed + seeds))
            ]
    return cases


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
        In order.
    """
    done = {key_of(row) for row in rows}
    return [case for case in cases if case.key not in done]


def scale_of(scene: BenchScene) -> str:
    """Tell the convention of a scene's truth: ``"peak"`` or ``"physical"``.

    Parameters
    ----------
    scene : BenchScene
        The scene.

    Returns
    -------
    str
        What the lengths of its endmembers mean.
    """
    return scale_of_convention(scene.convention) or "physical"


def _digest(*more: str) -> str:
    """Digest the code of the noise, of the rivals and of the score, as far as it is used.

    What only hands these to each other is left out: hours of `tv*` are not to be lost to a change of the bookkeeping.
    """
    noise = hashlib.sha256(inspect.getsource(add_noise).encode()).hexdigest()[:12]
    return noise + imports_digest((*_ROOTS, *more), _WITHIN)
