"""The verb behind ``hsgeo benchmark endmembers``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hsgeo.api.benchmark import run_all
from hsgeo.errors import ConfigError

__all__ = ["benchmark_endmembers"]


def _silent(what: str, done: int, total: int) -> None:
    pass


def benchmark_endmembers(
    out: str | Path,
    *,
    scenes: Sequence[str],
    starts: Sequence[str] = ("archetypes", "vca"),
    methods: Sequence[str] = ("endmember-diffusion", "endmember-diffusion[prior=library]"),
    levels: Sequence[float] = (float("inf"), 20.0, 10.0),
    seeds: int = 10,
    data: str | Path | None = None,
    fresh: bool = False,
    jobs: int = 1,
    plugins: Sequence[Path] = (),
    call: str = "hsgeo benchmark endmembers",
    progress: Callable[[str, int, int], None] = _silent,
) -> list[dict[str, Any]]:
    """Measure endmembers before and after they are made again, and write ``endmembers.csv`` and ``endmembers.md``.

    Runs that the CSV holds for the same stages, scene and code are not repeated.

    Parameters
    ----------
    out : path
        Folder of the two files.
    scenes : sequence of str
        Names that `hsgeo.evaluation.noise.scenes.load` knows, and words of its `GROUPS`.
    starts : sequence of str
        Stages that find endmembers.
    methods : sequence of str
        Stages that make them again.
    levels : sequence of float
        SNR in dB; infinity: no noise.
    seeds : int
        Runs of every combination.
    data : path, optional
        Folder of the scenes; synthetic ones need none.
    fresh : bool
        Forget what the CSV holds.
    jobs : int
        Processes.
    plugins : sequence of path
        One-file plugins that the stages need.
    call : str
        Said on the page.
    progress : callable
        ``progress(what, done, total)``.

    Returns
    -------
    list of dict
        From `hsgeo.evaluation.endmembers.page.summarise`.

    Raises
    ------
    ConfigError, RecipeError
        A scene, stage or option does not exist, or a file cannot be used.
    """
    from hsgeo.evaluation.endmembers.page import summarise, to_markdown
    from hsgeo.evaluation.endmembers.plan import COLUMNS, key_of, left_over, plan_cases
    from hsgeo.evaluation.rows import append, read

    place = None if data is None else Path(data)
    cases = plan_cases(scenes, starts, methods, levels, seeds, data=place, plugins=tuple(plugins))
    folder = Path(out)
    table = folder / "endmembers.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            table.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}", "a folder", "Give another --out") from error
    left = left_over(cases, read(table, COLUMNS))
    progress("runs", len(cases) - len(left), len(cases))
    for finished, rows in enumerate(run_all(left, jobs, run=_run), 1):
        append(table, COLUMNS, rows)
        progress("runs", len(cases) - len(left) + finished, len(cases))
    by_key = {key_of(row): row for row in read(table, COLUMNS)}
    summary = summarise(by_key[case.key] for case in cases)
    (folder / "endmembers.md").write_text(to_markdown(summary, call=call), encoding="utf-8")
    return summary


def _run(case: Any) -> list[dict[str, Any]]:
    from hsgeo.api.verbs import fit
    from hsgeo.evaluation.endmembers.plan import run_case

    return [run_case(case, fit=fit)]
