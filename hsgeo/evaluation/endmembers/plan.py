"""Which runs an endmember benchmark consists of, and doing one of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo._version import __version__
from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.plan import code_digest
from hsgeo.evaluation.accuracy.recipes import Contender, contender
from hsgeo.evaluation.accuracy.scenes import add_noise, as_scene
from hsgeo.evaluation.endmembers.rival import smoothed
from hsgeo.evaluation.noise.scenes import expand, load
from hsgeo.plugin.registry import Registry, registry
from hsgeo.spectra.metrics import match, sad
from hsgeo.stages.recipe import load_recipe, override

__all__ = ["COLUMNS", "KEYS", "Case", "key_of", "left_over", "plan_cases", "run_case"]

KEYS = ("scene", "start", "method", "snr_db", "seed", "config")
"""Columns that identify a run; ``config`` stands for the scene's content, the version, the options and the code."""

COLUMNS = (
    *KEYS, "before_rad", "after_rad", "smoothed_rad", "worst_before_rad", "worst_after_rad", "same", "seconds",
    "version",
)  # fmt: skip
"""Columns of the CSV: mean spectral angles of the start, of the method, and of the start projected and smoothed."""

Row = dict[str, Any]

# every pixel and band counts: the scenes were cut clear of bad ones
_WHOLE_SCENE = {"scene.screen": False, "scene.bad_bands": []}


@dataclass(frozen=True)
class Case:
    """One run.

    Parameters
    ----------
    scene, start, method : str
        Name of the scene, of the stage that finds endmembers, and of the one that makes them again, with options.
    snr_db : float
        Of the white noise; infinity: none.
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
    start: str
    method: str
    snr_db: float
    seed: int
    data: Path | None
    plugins: tuple[Path, ...]
    config: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the run the one it is, as a CSV holds it."""
        return (self.scene, self.start, self.method, f"{self.snr_db:g}", str(self.seed), self.config)


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a row's run the one it is, as text."""
    return tuple(str(row[name]) for name in KEYS)


def plan_cases(
    scenes: Sequence[str],
    starts: Sequence[str],
    methods: Sequence[str],
    levels: Sequence[float],
    seeds: int,
    *,
    data: Path | None,
    plugins: tuple[Path, ...] = (),
) -> list[Case]:
    """List the runs; every name, option and file is checked before the first one begins.

    Parameters
    ----------
    scenes : sequence of str
        Names that `hsgeo.evaluation.noise.scenes.load` knows, and words of its `GROUPS`.
    starts : sequence of str
        Stages that find endmembers, such as ``"vca[restarts=1]"``.
    methods : sequence of str
        Stages that make them again, such as ``"endmember-diffusion[prior=library]"``.
    levels : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Seeds 0, 1, ... of every combination.
    data : pathlib.Path or None
        Folder of the scenes that come from files.
    plugins : tuple of pathlib.Path
        One-file plugins that the stages need.

    Returns
    -------
    list of Case
        Seed after seed, so that a stopped benchmark has some of everything.

    Raises
    ------
    ConfigError, RecipeError
        Something of it does not exist or does not fit.
    """
    if seeds < 1 or not (scenes and starts and methods and levels):
        raise ConfigError(
            f"{len(scenes)} scenes, {len(starts)} starts, {len(methods)} methods, {len(levels)} levels, {seeds} seeds",
            "at least one of each",
        )
    known = registry(plugins)
    loaded = {name: load(name, data) for name in expand(scenes)}
    content = {
        (start, method): _content(_chain(start, method, known, count=2), known)
        for start in starts
        for method in methods
    }
    return [
        Case(
            name,
            start,
            method,
            snr_db,
            seed,
            data,
            plugins,
            hashlib.sha256(f"{__version__} {scene.digest} {content[start, method]}".encode()).hexdigest()[:12],
        )
        for seed in range(seeds)
        for name, scene in loaded.items()
        for snr_db in dict.fromkeys(levels)
        for start in dict.fromkeys(starts)
        for method in dict.fromkeys(methods)
    ]


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


def run_case(case: Case, *, fit: Callable[..., Any]) -> Row:
    """Do one run: fit the chain, and measure the endmembers of its first two stages.

    Parameters
    ----------
    case : Case
        From `plan_cases`.
    fit : callable
        ``hsgeo.fit``: what is measured is what users run.

    Returns
    -------
    dict
        A row of `COLUMNS`.
    """
    scene = load(case.scene, case.data)
    image = add_noise(scene.image, case.snr_db, seed=case.seed, name=scene.cube)
    chain = _chain(case.start, case.method, registry(case.plugins), count=len(scene.names))
    began = time.perf_counter()
    state = fit(as_scene(image, scene.wavelength), recipe=chain.recipe, seed=case.seed, notice=_silent)
    seconds = time.perf_counter() - began
    first, second = (step.get("id") or step["use"] for step in chain.recipe["stages"][:2])
    before, after = (_endmembers(state[name]) for name in (first, second))
    Y = image.reshape(-1, image.shape[2])
    angles = [_angles(E, scene.E) for E in (before, after, smoothed(before, Y))]
    row: Row = dict(zip(KEYS, case.key, strict=True))
    row |= {
        "before_rad": float(angles[0].mean()),
        "after_rad": float(angles[1].mean()),
        "smoothed_rad": float(angles[2].mean()),
        "worst_before_rad": float(angles[0].max()),
        "worst_after_rad": float(angles[1].max()),
        "same": int((before == after).all(axis=0).sum()),
        "seconds": round(seconds, 3),
        "version": __version__,
    }
    return {name: row[name] for name in COLUMNS}


def _chain(start: str, method: str, known: Registry, *, count: int) -> Contender:
    found = contender(f"{start}+{method}+fcls", known, scale="physical", count=count)
    assert found is not None  # only other scales may have none
    recipe = override(load_recipe(found.recipe, known), _WHOLE_SCENE)
    return replace(found, recipe=recipe.dump())


def _content(found: Contender, known: Registry) -> str:
    """Digest stages, options, code, and the files that options name."""
    digest = hashlib.sha256(json.dumps(found.recipe["stages"], sort_keys=True).encode())
    packages = {known.stage(step["use"]).target.partition(".")[0] for step in found.recipe["stages"]}
    digest.update(code_digest(("hsgeo.spectra", "hsgeo.synthetic", *sorted(packages))).encode())
    for step in found.recipe["stages"]:
        for value in step["with"].values():
            if isinstance(value, str) and Path(value).is_file():
                digest.update(Path(value).read_bytes())
    return digest.hexdigest()[:12] + "".join(sorted(known.files.values()))


def _endmembers(state: Any) -> np.ndarray:
    return np.asarray(state["endmembers"].transpose("band", "endmember").values, np.float64)


def _angles(E: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(sad(E[:, match(E, truth).order], truth))


def _silent(text: str) -> None:
    pass
