"""The verbs behind ``hsgeo benchmark accuracy | blind | noise``: scenes x methods x noise x seeds, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError

__all__ = ["benchmark_accuracy", "benchmark_blind", "benchmark_noise", "benchmark_uncertainty", "run_all"]


def _silent(what: str, done: int, total: int) -> None:
    pass


def benchmark_accuracy(
    out: str | Path,
    *,
    scenes: Sequence[str],
    recipes: Sequence[str],
    noise: Sequence[float] = (float("inf"), 30.0, 20.0),
    seeds: int = 10,
    data: str | Path | None = None,
    count: str = "known",
    fresh: bool = False,
    jobs: int = 1,
    plugins: Sequence[Path] = (),
    call: str = "hsgeo benchmark accuracy",
    progress: Callable[[str, int, int], None] = _silent,
) -> list[dict[str, Any]]:
    """Measure recipes on scenes with a truth, and write ``accuracy.csv`` and ``accuracy.md``.

    Runs that the CSV holds for the same recipe, scene, version and code of the stages are not repeated.
    ``uniform``, ``oracle`` and ``lmm-oracle`` rows are always there.

    Parameters
    ----------
    out : path
        Folder of the two files.
    scenes : sequence of str
        Names of `hsgeo.evaluation.accuracy.scenes.SCENES`.
    recipes : sequence of str
        ``"archetypes+fcls"``, ``"vca[restarts=1]+fcls"``, names of recipes or YAML files.
    noise : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Runs of every combination.
    data : path, optional
        Folder of the scenes; synthetic ones need none.
    count : {"known", "auto"}
        Whether recipes are told the number of endmembers.
    fresh : bool
        Forget what the CSV holds.
    jobs : int
        Processes.
    plugins : sequence of path
        One-file plugins that the recipes need.
    call : str
        Said on the page.
    progress : callable
        ``progress(what, done, total)``.

    Returns
    -------
    list of dict
        From `hsgeo.evaluation.accuracy.table.summarise_rows`.

    Raises
    ------
    ConfigError, RecipeError
        A scene, recipe or option does not exist, or a file cannot be used.
    """
    from hsgeo.evaluation.accuracy.plan import plan_cases
    from hsgeo.evaluation.accuracy.table import to_markdown

    if count not in ("known", "auto"):
        raise ConfigError(f"count is {count!r}", "'known' or 'auto'")
    cases = plan_cases(
        scenes,
        recipes,
        noise,
        seeds,
        data=None if data is None else Path(data),
        auto=count == "auto",
        plugins=tuple(plugins),
    )
    summary = _summary(Path(out), "accuracy.csv", cases, fresh=fresh, jobs=jobs, progress=progress)
    (Path(out) / "accuracy.md").write_text(to_markdown(summary, call=call, count=count), encoding="utf-8")
    return summary


def benchmark_blind(
    out: str | Path,
    *,
    scenes: Sequence[str],
    recipes: Sequence[str] = ("classical", "hybridstu", "semi-blind"),
    noise: Sequence[float] = (float("inf"), 30.0, 20.0, 15.0, 10.0),
    seeds: int = 10,
    first_seed: int = 0,
    data: str | Path | None = None,
    fresh: bool = False,
    jobs: int = 1,
    plugins: Sequence[Path] = (),
    call: str = "hsgeo benchmark blind",
    progress: Callable[[str, int, int], None] = _silent,
) -> list[dict[str, Any]]:
    """Measure recipes side by side from image to abundances, and write ``blind.csv`` and ``blind.md``.

    The runs are those of `benchmark_accuracy` with the number of endmembers told, in the conventions of the truths.

    Parameters
    ----------
    out : path
        Folder of the two files.
    scenes, recipes, noise, seeds, data, fresh, jobs, plugins, call, progress
        As in `benchmark_accuracy`.
    first_seed : int
        Seeds are this and those that follow.

    Returns
    -------
    list of dict
        From `hsgeo.evaluation.accuracy.table.summarise_rows`.

    Raises
    ------
    ConfigError, RecipeError
        A scene, recipe or option does not exist, or a file cannot be used.
    """
    from hsgeo.evaluation.accuracy.plan import plan_cases
    from hsgeo.evaluation.blind.page import to_markdown

    place = None if data is None else Path(data)
    cases = plan_cases(
        scenes, recipes, noise, seeds, data=place, headline=True, first_seed=first_seed, plugins=tuple(plugins)
    )
    summary = _summary(Path(out), "blind.csv", cases, fresh=fresh, jobs=jobs, progress=progress)
    (Path(out) / "blind.md").write_text(to_markdown(summary, call=call), encoding="utf-8")
    return summary


def _summary(
    folder: Path,
    name: str,
    cases: Sequence[Any],
    *,
    fresh: bool,
    jobs: int,
    progress: Callable[[str, int, int], None],
) -> list[dict[str, Any]]:
    """Do the runs that a CSV does not hold yet, and sum all up."""
    from hsgeo.evaluation.accuracy.plan import COLUMNS, missing_cases
    from hsgeo.evaluation.accuracy.runs import key_of
    from hsgeo.evaluation.accuracy.table import summarise_rows
    from hsgeo.evaluation.rows import append, read

    table = _table(folder, name, fresh=fresh)
    held = read(table, COLUMNS)
    wanted = {key_of(key) for case in cases for key in case.keys}
    left = missing_cases(cases, held)
    progress("runs", len(cases) - len(left), len(cases))
    done = {key_of(row) for row in held}
    for finished, rows in enumerate(run_all(left, jobs), 1):
        new = [row for row in rows if key_of(row) not in done]
        append(table, COLUMNS, new)
        progress("runs", len(cases) - len(left) + finished, len(cases))
    return summarise_rows(row for row in read(table, COLUMNS) if key_of(row) in wanted)


def _table(folder: Path, name: str, *, fresh: bool) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}", "a folder", "Give another --out") from error
    return folder / name


def _run(case: Any) -> list[dict[str, Any]]:
    from hsgeo.api.verbs import fit, unmix
    from hsgeo.evaluation.accuracy.plan import run_case

    return run_case(case, fit=fit, unmix=unmix)


def benchmark_noise(
    out: str | Path,
    *,
    scenes: Sequence[str],
    methods: Sequence[str] = (),
    levels: Sequence[float] = (float("inf"), 30.0, 20.0, 15.0, 10.0),
    seeds: int = 10,
    first_seed: int = 0,
    kind: str = "white",
    data: str | Path | None = None,
    fresh: bool = False,
    jobs: int = 1,
    plugins: Sequence[Path] = (),
    call: str = "hsgeo benchmark noise",
    progress: Callable[[str, int, int], None] = _silent,
) -> list[dict[str, Any]]:
    """Measure methods that are told the true endmembers against noise, and write ``noise.csv`` and ``noise.md``.

    Runs that the CSV holds for the same method, scene and code are not repeated: those of the closed form and of the
    rivals that know the truth outlast every change but one of their own code. Other than white noise has a page of its
    own, ``noise-KIND.md``.

    Parameters
    ----------
    out : path
        Folder of the two files.
    scenes : sequence of str
        Names that `hsgeo.evaluation.noise.scenes.load` knows, and words of its `GROUPS`.
    methods : sequence of str
        Of `hsgeo.evaluation.noise.methods.BUILT_IN`, or stages and recipes such as ``"hybridstu[mode=zero]"``; the
        closed form is always there.
    levels : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Runs of every combination.
    first_seed : int
        Seeds are this and those that follow.
    kind : str
        Of `hsgeo.evaluation.noise.corrupt.KINDS`.
    data : path, optional
        Folder of the scenes; synthetic ones need none.
    fresh : bool
        Forget what the CSV holds.
    jobs : int
        Processes.
    plugins : sequence of path
        One-file plugins that the methods need.
    call : str
        Said on the page.
    progress : callable
        ``progress(what, done, total)``.

    Returns
    -------
    list of dict
        From `hsgeo.evaluation.noise.verdict.summarise`.

    Raises
    ------
    ConfigError, RecipeError
        A scene, method or option does not exist, or a file cannot be used.
    """
    from hsgeo.evaluation.noise.page import page_name, to_markdown
    from hsgeo.evaluation.noise.plan import COLUMNS, key_of, left_over, plan_cases
    from hsgeo.evaluation.noise.verdict import summarise
    from hsgeo.evaluation.rows import append, read

    place = None if data is None else Path(data)
    cases = plan_cases(
        scenes, methods, levels, seeds, kind=kind, first_seed=first_seed, data=place, plugins=tuple(plugins)
    )
    folder = Path(out)
    table = _table(folder, "noise.csv", fresh=fresh)
    left = left_over(cases, read(table, COLUMNS))
    progress("runs", len(cases) - len(left), len(cases))
    for finished, rows in enumerate(run_all(left, jobs, run=_run_noise), 1):
        append(table, COLUMNS, rows)
        progress("runs", len(cases) - len(left) + finished, len(cases))
    by_key = {key_of(row): row for row in read(table, COLUMNS)}
    summary = summarise(by_key[case.key] for case in cases)
    (folder / page_name(kind)).write_text(to_markdown(summary, call=call), encoding="utf-8")
    return summary


def _run_noise(case: Any) -> list[dict[str, Any]]:
    from hsgeo.api.verbs import fit, unmix
    from hsgeo.evaluation.noise.run import run_case

    return [run_case(case, fit=fit, unmix=unmix)]


def benchmark_uncertainty(
    out: str | Path,
    *,
    methods: Sequence[str],
    scenes: Sequence[str] = (),
    levels: Sequence[float] = (30.0, 20.0, 15.0, 10.0),
    seeds: int = 2,
    fresh: bool = False,
    jobs: int = 1,
    plugins: Sequence[Path] = (),
    call: str = "hsgeo benchmark uncertainty",
    progress: Callable[[str, int, int], None] = _silent,
) -> list[dict[str, Any]]:
    """Hold stated uncertainties against truths, and write ``uncertainty.csv``, ``.md`` and ``.png``.

    Parameters
    ----------
    out : path
        Folder of the three files.
    methods : sequence of str
        Stages, chains and recipes that write ``abundance_sample`` or ``abundance_std``.
    scenes : sequence of str
        Names of `hsgeo.evaluation.uncertainty.scenes.WORLDS`; none: all.
    levels : sequence of float
        SNR of the white noise, dB.
    seeds : int
        Scenes of every kind.
    fresh, jobs, plugins, call, progress
        As in `benchmark_noise`.

    Returns
    -------
    list of dict
        From `hsgeo.evaluation.uncertainty.verdict.summarise`.

    Raises
    ------
    ConfigError, RecipeError
        A scene, method or option does not exist, or a method states no uncertainty.
    """
    from hsgeo.evaluation.rows import append, read
    from hsgeo.evaluation.uncertainty.curve import draw_curves
    from hsgeo.evaluation.uncertainty.page import to_markdown
    from hsgeo.evaluation.uncertainty.plan import COLUMNS, key_of, left_over, plan_cases
    from hsgeo.evaluation.uncertainty.scenes import WORLDS
    from hsgeo.evaluation.uncertainty.verdict import summarise

    cases = plan_cases(scenes or list(WORLDS), methods, levels, seeds, plugins=tuple(plugins))
    folder = Path(out)
    table = _table(folder, "uncertainty.csv", fresh=fresh)
    left = left_over(cases, read(table, COLUMNS))
    progress("runs", len(cases) - len(left), len(cases))
    for finished, rows in enumerate(run_all(left, jobs, run=_run_uncertainty), 1):
        append(table, COLUMNS, rows)
        progress("runs", len(cases) - len(left) + finished, len(cases))
    wanted = {case.key for case in cases}
    held = {(key_of(row), row["truth"]): row for row in read(table, COLUMNS) if key_of(row) in wanted}
    summary = summarise(held.values())
    picture = folder / "uncertainty.png"
    drawn = picture.name if draw_curves(summary, picture) else None
    (folder / "uncertainty.md").write_text(to_markdown(summary, call=call, picture=drawn), encoding="utf-8")
    return summary


def _run_uncertainty(case: Any) -> list[dict[str, Any]]:
    from hsgeo.api.verbs import fit, unmix
    from hsgeo.evaluation.uncertainty.plan import run_case

    return run_case(case, fit=fit, unmix=unmix)


def run_all(
    cases: Sequence[Any], jobs: int, *, run: Callable[[Any], list[dict[str, Any]]] = _run
) -> Iterator[list[dict[str, Any]]]:
    """Do cases, one after the other or in processes.

    Parameters
    ----------
    cases : sequence of hsgeo.evaluation.accuracy.plan.Case
        What to do.
    jobs : int
        Processes; 1: this one.
    run : callable
        Does one of them; a function of a module, as processes import it.

    Yields
    ------
    list of dict
        Rows of each case, as they are done.
    """
    if jobs <= 1:
        yield from map(run, cases)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    # spawn: numba's and BLAS's threads do not survive a fork
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        try:
            for future in as_completed([pool.submit(run, case) for case in cases]):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    """Give each process one thread: the processes share the cores."""
    import dask
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    dask.config.set(scheduler="synchronous")
