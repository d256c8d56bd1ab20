"""Which runs a benchmark consists of, which of them a CSV holds already, and doing the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo._version import __version__
from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.recipes import contender
from hsgeo.evaluation.accuracy.runs import KEYS, SANITY, key_of, run_recipe, run_sanity
from hsgeo.evaluation.accuracy.scenes import SCENES, BenchScene, load_scene
from hsgeo.evaluation.conventions import scale_of_convention
from hsgeo.evaluation.weights import weights_digest
from hsgeo.plugin.registry import Registry, registry

__all__ = ["COLUMNS", "Case", "Row", "missing_cases", "plan_cases", "run_case"]

COLUMNS = (
    *KEYS, "convention", "headline", "count", "endmembers", "pixels", "missing", "armse", "mrmse", "pixel_rmse", "mae",
    "sre_db", "msad_rad", "msad_deg", "ermse", "re_rmse", "armse_by_abundance", "matches_agree", "fit_s", "apply_s",
    "device", "version",
)  # fmt: skip
"""Columns of the CSV, one row per run and truth."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What one process does at a time: one image, recipe, noise level and seed, for all truths of the image.

    Parameters
    ----------
    scenes : tuple of str
        Names of scenes with one image.
    recipe : str
        A contender, or one of the sanity rows.
    scale : str
        Convention of the run; of a sanity row: empty, because it has that of the truth.
    snr_db : float
        Noise.
    seed : int
        Seed.
    auto : bool
        The number of endmembers is found out, not told.
    data : pathlib.Path or None
        Folder of the scenes.
    plugins : tuple of pathlib.Path
        One-file plugins to load.
    keys : tuple of dict
        What identifies the row of each scene (`KEYS`).
    """

    scenes: tuple[str, ...]
    recipe: str
    scale: str
    snr_db: float
    seed: int
    auto: bool
    data: Path | None
    plugins: tuple[Path, ...]
    keys: tuple[Row, ...]


def plan_cases(
    scenes: Sequence[str],
    recipes: Sequence[str],
    noise: Sequence[float],
    seeds: int,
    *,
    data: Path | None,
    auto: bool = False,
    headline: bool = False,
    first_seed: int = 0,
    plugins: tuple[Path, ...] = (),
) -> list[Case]:
    """List the runs; every name, option and file is checked before the first one begins.

    Parameters
    ----------
    scenes, recipes : sequence of str
        Names of `SCENES`; recipes as `contender` takes them.
    noise : sequence of float
        SNR in dB; infinity: none.
    seeds : int
        Runs of every combination; sanity rows without noise need only the first.
    data : pathlib.Path or None
        Folder of the scenes.
    auto : bool
        Number of endmembers found out instead of told.
    headline : bool
        Leave out runs in a convention that no truth of the image has.
    first_seed : int
        Seeds are this and those that follow.
    plugins : tuple of pathlib.Path
        One-file plugins that the recipes need.

    Returns
    -------
    list of Case
        Cheap and bounding ones first.

    Raises
    ------
    ConfigError, RecipeError
        Something of it does not exist or does not fit.
    """
    if seeds < 1 or first_seed < 0 or not scenes or not noise:
        raise ConfigError(
            f"{len(scenes)} scenes, {len(noise)} noise levels, {seeds} seeds from {first_seed}",
            "at least one of each",
        )
    known = registry(plugins)
    loaded = [load_scene(name, data) for name in dict.fromkeys(scenes)]
    cases = []
    drawn = range(first_seed, first_seed + seeds)
    own = code_digest(("hsgeo.spectra", "hsgeo.evaluation.accuracy"))
    for snr_db in dict.fromkeys(noise):
        for name in SANITY:
            for scene in loaded:
                for seed in drawn if np.isfinite(snr_db) and name != "uniform" else drawn[:1]:
                    key = _key(scene, name, scale_of_convention(scene.convention) or "", snr_db, seed, own)
                    cases.append(Case((scene.name,), name, "", snr_db, seed, False, data, plugins, (key,)))
    for recipe in dict.fromkeys(recipes):
        before = len(cases)
        for group in _by_cube(loaded):
            count = None if auto else group[0].A.shape[1]
            truths = {scale_of_convention(scene.convention) for scene in group}
            for scale in ("physical", "peak"):
                if headline and scale not in truths:
                    continue
                found = contender(recipe, known, scale=scale, count=count)
                if found is None or (found.library and (group[0].library is None or scale != "physical")):
                    continue
                digest = f"{own} {found.digest} {_stages_digest(found.recipe, known)}"
                for snr_db in dict.fromkeys(noise):
                    for seed in drawn:
                        keys = tuple(_key(scene, recipe, scale, snr_db, seed, digest) for scene in group)
                        names = tuple(scene.name for scene in group)
                        cases.append(Case(names, recipe, scale, snr_db, seed, auto, data, plugins, keys))
        if len(cases) == before:
            raise ConfigError(
                f"recipe {recipe!r} needs a spectral library, and none of the scenes {', '.join(scenes)} has one",
                "scenes with a library: " + ", ".join(name for name, source in SCENES.items() if source.library),
                "Add one with --scenes",
            )
    return cases


def run_case(case: Case, *, fit: Callable[..., Any], unmix: Callable[..., Any]) -> list[Row]:
    """Do one case.

    Parameters
    ----------
    case : Case
        From `plan_cases`.
    fit, unmix : callable
        ``hsgeo.fit`` and ``hsgeo.unmix``.

    Returns
    -------
    list of dict
        A row of `COLUMNS` for each scene.
    """
    known = registry(case.plugins)
    scenes = [load_scene(name, case.data) for name in case.scenes]
    device = "cpu"
    if case.recipe in SANITY:
        rows = [run_sanity(scenes[0], case.recipe, snr_db=case.snr_db, seed=case.seed)]
    else:
        count = None if case.auto else scenes[0].A.shape[1]
        found = contender(case.recipe, known, scale=case.scale, count=count)
        assert found is not None  # it was planned
        rows = run_recipe(scenes, found, snr_db=case.snr_db, seed=case.seed, fit=fit, unmix=unmix)
        device = _device()
    whole = []
    for scene, key, row in zip(scenes, case.keys, rows, strict=True):
        more = {"convention": scene.convention, "count": "auto" if case.auto else "known", "device": device}
        whole.append({name: (key | row | more | {"version": __version__}).get(name) for name in COLUMNS})
    return whole


def _stages_digest(recipe: Row, known: Registry) -> str:
    """Return a digest of what a recipe runs: the code of its stages' packages and of the runner, shipped weights."""
    records = [known.stage(step["use"]) for step in recipe["stages"]]
    packages = {record.target.partition(":")[0].partition(".")[0] for record in records}
    networks = ("hsgeo.nn",) if any(record.trainer for record in records) else ()
    code = code_digest(("hsgeo.stages", "hsgeo.run", *networks, *sorted(packages)))
    code += "".join(sorted(known.files.values()))
    return code + weights_digest(records, known)


@lru_cache(maxsize=64)
def code_digest(packages: tuple[str, ...]) -> str:
    """Digest the Python files of packages: while code changes, results of the same version are not the same.

    Parameters
    ----------
    packages : tuple of str
        Importable names; what has no files, such as a one-file plugin, is passed over.

    Returns
    -------
    str
        Hexadecimal.
    """
    from importlib.util import find_spec

    digest = hashlib.sha256()
    for name in packages:
        try:
            found = find_spec(name)
        except (ImportError, ValueError):
            continue
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _device() -> str:
    """Tell where the pixels were solved: on CUDA when a stage asked torch and torch has it."""
    import sys

    torch = sys.modules.get("torch")  # loaded by the run itself, or not used
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def _by_cube(scenes: Iterable[BenchScene]) -> Iterator[list[BenchScene]]:
    groups: dict[tuple[str, int], list[BenchScene]] = {}
    for scene in scenes:
        groups.setdefault((scene.cube, scene.A.shape[1]), []).append(scene)
    yield from groups.values()


def _key(scene: BenchScene, recipe: str, scale: str, snr_db: float, seed: int, digest: str) -> Row:
    config = hashlib.sha256(f"{__version__} {scene.digest} {digest}".encode()).hexdigest()[:12]
    return {
        "scene": scene.name,
        "recipe": recipe,
        "scale": scale,
        "snr_db": f"{snr_db:g}",
        "seed": seed,
        "config": config,
    }


def missing_cases(cases: Sequence[Case], rows: Iterable[Row]) -> list[Case]:
    """Return the cases of which a row is not there yet.

    Parameters
    ----------
    cases : sequence of Case
        All.
    rows : iterable of dict
        From `hsgeo.evaluation.rows.read`.

    Returns
    -------
    list of Case
        In order.
    """
    done = {key_of(row) for row in rows}
    return [case for case in cases if any(key_of(key) not in done for key in case.keys)]
