"""``hsgeo benchmark noise``: abundances from the true endmembers, under noise."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hsgeo.cli.benchmark.accuracy import MADE_SCENES, REAL_SCENES, parse_levels

__all__ = ["noise"]


@click.command("noise")
@click.option(
    "--scenes",
    metavar="A,B,...",
    help=f"Default: {REAL_SCENES} where data is given, else {MADE_SCENES}. procedural: ten held-out scenes, "
    "procedural-0 to procedural-9; wide: one large enough to show the borders of windows.",
)
@click.option(
    "--methods",
    metavar="A,B,...",
    default="sunsal-tv,sunsal-tv*,tv*",
    show_default=True,
    help="Beside the closed form: stages with options in brackets, such as hybridstu[mode=zero], joined by + to "
    "chains, recipes by name or file; sunsal-tv* and tv* choose their weight on the truth.",
)
@click.option(
    "--noise", "levels", metavar="DB,...", default="inf,30,20,15,10", show_default=True, help="SNR of the noise, dB."
)
@click.option(
    "--noise-kind",
    "kind",
    type=click.Choice(["white", "striped", "banded"]),
    default="white",
    show_default=True,
    help="striped: half of the power stays down the rows; banded: of another strength in every band.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Runs of every combination.")
@click.option(
    "--first-seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seeds are this and those that follow.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the scenes; default: HSGEO_DATA.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    help="Folder of noise.csv (one row per run; goes on where it stopped) and noise.md (noise-KIND.md of other kinds).",
)
@click.option("--fresh", is_flag=True, help="Forget the runs that noise.csv holds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the sums over the seeds as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def noise(
    scenes: str | None,
    methods: str,
    levels: str,
    kind: str,
    seeds: int,
    first_seed: int,
    data: Path | None,
    out: Path,
    fresh: bool,
    jobs: int,
    plugins: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Measure abundances from the true endmembers under noise, beside the closed form."""
    import json

    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars
    from hsgeo.evaluation.accuracy.recipes import split_list
    from hsgeo.evaluation.noise.page import page_name

    if data is None and os.environ.get("HSGEO_DATA"):
        data = Path(os.environ["HSGEO_DATA"])
    if scenes is None:
        scenes = MADE_SCENES if data is None else REAL_SCENES
        if data is None and not quiet:
            notice("no data folder is given (--data, HSGEO_DATA), so the scenes are synthetic")
    call = f"hsgeo benchmark noise --scenes {scenes} --methods '{methods}' --noise {levels} --seeds {seeds}"
    if kind != "white":
        call += f" --noise-kind {kind}"
    numbers = parse_levels(levels)
    if first_seed:
        call += f" --first-seed {first_seed}"
    try:
        with progress_bars(quiet=quiet or as_json) as progress:
            summary = api.benchmark_noise(
                out,
                scenes=split_list(scenes),
                methods=split_list(methods),
                levels=numbers,
                seeds=seeds,
                first_seed=first_seed,
                kind=kind,
                data=data,
                fresh=fresh,
                jobs=jobs,
                plugins=plugins,
                call=call,
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        click.echo(f"Stopped. Finished runs are in {out / 'noise.csv'}; {again} goes on with the rest.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(json.dumps([_plain(row) for row in summary], indent=2))
    elif not quiet:
        _show(summary)
        page = out / page_name(kind)
        click.echo(f"\n{out / 'noise.csv'}: one row per run; {page}: these tables")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Infinity is no JSON: a level without noise is null."""
    return {**row, "snr_db": None if row["snr_db"] == float("inf") else row["snr_db"]}


def _show(summary: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hsgeo.evaluation.noise.page import beside, border_lines, cells, columns
    from hsgeo.evaluation.noise.requirements import SELF_TUNED, TV
    from hsgeo.evaluation.noise.verdict import judge, level_name

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=160)

    def show(title: str, lines: Sequence[Sequence[str]]) -> None:
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for k, head in enumerate(lines[0]):
            table.add_column(head, justify="right" if k else "left", overflow="ellipsis" if k else "fold")
        for name, *numbers in lines[1:]:
            table.add_row(escape(name), *numbers)
        console.print(table, highlight=False)
        console.print()

    scenes = list(dict.fromkeys(row["scene"] for row in summary))
    for level in sorted({row["snr_db"] for row in summary}, reverse=True):
        here = [row for row in summary if row["snr_db"] == level]
        lines = [["method", *columns(scenes), "mean ratio"]]
        for method in dict.fromkeys(row["method"] for row in here):
            texts, mean = cells([row for row in here if row["method"] == method], scenes)
            lines.append([method, *texts, mean])
        show(level_name(level), lines)
    for base in (TV, SELF_TUNED):
        lines = beside(summary, base)
        if lines:
            show(f"over {base}, 10 to 20 dB", lines)
    for line in border_lines(summary):
        console.print(escape(line), highlight=False)
    for one in judge(summary):
        at = f" ({one.where})" if one.where else ""
        mark = "[green]met[/]" if one.passed else "[red]not met[/]"
        console.print(
            f"{escape(one.method)}: {escape(one.requirement)} {one.value:.4f}, at most {one.limit:.4f}{at}: {mark}",
            highlight=False,
        )
