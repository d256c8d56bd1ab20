"""``hsgeo benchmark blind``: recipes side by side, from image to endmembers and abundances."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hsgeo.cli.benchmark.accuracy import MADE_SCENES, REAL_SCENES, parse_levels

__all__ = ["blind"]


@click.command("blind")
@click.option("--scenes", metavar="A,B,...", help=f"Default: {REAL_SCENES} where data is given, else {MADE_SCENES}.")
@click.option(
    "--recipes",
    metavar="A,B,...",
    default="classical,hybridstu,semi-blind",
    show_default=True,
    help="Recipes by name or file, or extractor+solver with options in brackets.",
)
@click.option("--noise", metavar="DB,...", default="inf,30,20,15,10", show_default=True, help="SNR of white noise, dB.")
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
    help="Folder of blind.csv (one row per run; goes on where it stopped) and blind.md.",
)
@click.option("--fresh", is_flag=True, help="Forget the runs that blind.csv holds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the sums over the seeds as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def blind(
    scenes: str | None,
    recipes: str,
    noise: str,
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
    """Compare recipes blind, told only the number of endmembers: scenes x noise x seeds, aRMSE and mSAD."""
    import json

    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars
    from hsgeo.evaluation.accuracy.recipes import split_list

    if data is None and os.environ.get("HSGEO_DATA"):
        data = Path(os.environ["HSGEO_DATA"])
    if scenes is None:
        scenes = MADE_SCENES if data is None else REAL_SCENES
        if data is None and not quiet:
            notice("no data folder is given (--data, HSGEO_DATA), so the scenes are synthetic")
    levels = parse_levels(noise)
    call = f"hsgeo benchmark blind --scenes {scenes} --recipes '{recipes}' --noise {noise} --seeds {seeds}"
    if first_seed:
        call += f" --first-seed {first_seed}"
    try:
        with progress_bars(quiet=quiet or as_json) as progress:
            summary = api.benchmark_blind(
                out,
                scenes=split_list(scenes),
                recipes=split_list(recipes),
                noise=levels,
                seeds=seeds,
                first_seed=first_seed,
                data=data,
                fresh=fresh,
                jobs=jobs,
                plugins=plugins,
                call=call,
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        click.echo(f"Stopped. Finished runs are in {out / 'blind.csv'}; {again} goes on with the rest.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif not quiet:
        _show(summary)
        click.echo(f"\n{out / 'blind.csv'}: one row per run; {out / 'blind.md'}: these tables")


def _show(summary: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hsgeo.evaluation.blind.page import side_by_side
    from hsgeo.evaluation.blind.verdict import MEASURES, judge

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    for measure, name in MEASURES.items():
        head, *lines = side_by_side(summary, measure)
        table = Table(title=name, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for k, text in enumerate(head):
            table.add_column(escape(text), justify="right" if k > 1 else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        console.print(table, highlight=False)
        console.print()
    for one in judge(summary):
        mark = "[green]met[/]" if one.passed else "[red]not met[/]"
        console.print(
            f"{one.method}: {one.requirement} {one.value:.4f}, at most {one.limit:.4f} ({one.where}): {mark}",
            highlight=False,
        )
