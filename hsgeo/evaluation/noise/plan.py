"""Which runs a noise benchmark consists of, and doing one of them."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo._version import __version__
from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.plan import code_digest
from hsgeo.evaluation.accuracy.runs import score_estimate
from hsgeo.evaluation.accuracy.scenes import BenchScene, load_scene
from hsgeo.evaluation.conventions import scale_of_convention
from hsgeo.evaluation.noise.corrupt import KINDS, corrupt
from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD, answer
from hsgeo.evaluation.noise.stages import content_of, resolve, run_stages
from hsgeo.plugin.registry import registry
from hsgeo.spectra.metrics import armse

__all__ = ["COLUMNS", "KEYS", "Case", "key_of", "left_over", "plan_cases", "run_case"]

KEYS = ("scene", "method", "noise", "snr_db", "seed", "config")
"""Columns that identify a run; ``config`` stands for the scene's content, the version, the options, the code and the
weights."""

COLUMNS = (
    *KEYS, "convention", "scale", "armse", "mrmse", "pixel_rmse", "mae", "sre_db", "missing", "weight", "form",
    "seconds", "device", "version",
)  # fmt: skip
"""Columns of the CSV, one row per run."""

Row = dict[str, Any]

_OWN = ("corrupt", "closed", "methods", "plan", "rof", "rof_kernels", "stages", "tv")  # files that rows hang on


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
    data: Path | None,
    plugins: tuple[Path, ...] = (),
) -> list[Case]:
    """List the runs; every name, option and file is checked before the first one begins.

    Parameters
    ----------
    scenes : sequence of str
        Names of `hsgeo.evaluation.accuracy.scenes.SCENES`.
    methods : sequence of str
        Of `BUILT_IN`, or stages and recipes as `resolve` takes them. The closed form is always there.
    levels : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Seeds 0, 1, ... of every combination; without noise, what has nothing random needs only the first.
    kind : str
        Of `KINDS`.
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
    if seeds < 1 or not scenes or not levels:
        raise ConfigError(f"{len(scenes)} scenes, {len(levels)} noise levels, {seeds} seeds", "at least one of each")
    if kind not in KINDS:
        raise ConfigError(f"noise of the kind {kind!r}", ", ".join(KINDS), "Choose with --noise-kind")
    known = registry(plugins)
    loaded = [load_scene(name, data) for name in dict.fromkeys(scenes)]
    own = _own_digest()
    cases = []
    for method in dict.fromkeys([CLOSED_FORM, *methods]):
        fixed = method == CLOSED_FORM or method in TOLD
        for scene in loaded:
            content = own if fixed else own + content_of(resolve(method, known, scale=_scale(scene)), known)
            config = hashlib.sha256(f"{__version__} {scene.digest} {content}".encode()).hexdigest()[:12]
            cases += [
                Case(scene.name, method, kind, snr_db, seed, data, plugins, config)
                for snr_db in dict.fromkeys(levels)
                for seed in range(1 if fixed and np.isinf(snr_db) else seeds)
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


def run_case(case: Case, *, fit: Callable[..., Any], unmix: Callable[..., Any]) -> Row:
    """Do one run.

    Parameters
    ----------
    case : Case
        From `plan_cases`.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``.

    Returns
    -------
    dict
        A row of `COLUMNS`.
    """
    scene = load_scene(case.scene, case.data)
    image = corrupt(scene.image, case.noise, snr_db=case.snr_db, seed=case.seed, name=scene.cube)
    scale = _scale(scene)
    known = np.isfinite(scene.A).all(axis=1)
    began = time.perf_counter()
    extra: Row = {"missing": 0, "weight": None, "form": "", "device": "cpu"}
    if case.method == CLOSED_FORM or case.method in TOLD:
        found = answer(
            case.method, image, scene.E, peak=scale == "peak", error=lambda A: armse(A[known], scene.A[known])
        )
        A, seconds = found.A, time.perf_counter() - began
        extra |= {"weight": None if found.weight is None else f"{found.weight:.3g}", "form": found.form}
    else:
        contender = resolve(case.method, registry(case.plugins), scale=scale)
        A, missing, seconds = run_stages(
            image, scene.wavelength, scene.E, scene.names, found=contender, seed=case.seed, fit=fit, unmix=unmix
        )
        extra |= {"missing": int((missing & known).sum()), "device": _device()}
    row: Row = dict(zip(KEYS, case.key, strict=True))
    row |= score_estimate(scene, A, None, physical=False, matched=True) | extra
    row |= {"convention": scene.convention, "scale": scale, "seconds": round(seconds, 3), "version": __version__}
    return {name: row[name] for name in COLUMNS}


def _scale(scene: BenchScene) -> str:
    return scale_of_convention(scene.convention) or "physical"


def _own_digest() -> str:
    """Digest the code of the benchmark that rows hang on, and that of the solvers."""
    digest = hashlib.sha256(code_digest(("hsgeo.spectra.solvers",)).encode())
    for name in _OWN:
        spec = find_spec(f"hsgeo.evaluation.noise.{name}")
        if spec is not None and spec.origin is not None:
            digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()[:12]


def _device() -> str:
    """Tell where stages may have run: on CUDA when one of them asked torch and torch has it."""
    torch = sys.modules.get("torch")  # loaded by the run itself, or not used
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"
