"""``hsgeo benchmark accuracy``: recipes against scenes with a truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["MADE_SCENES", "REAL_SCENES", "accuracy", "parse_levels"]

REAL_SCENES = "samson-zhu,samson-rasti,jasper-zhu,sim1,dc1"
MADE_SCENES = "synthetic-4,synthetic-6"


@click.command("accuracy")
@click.option(
    "--scenes",
    metavar="A,B,...",
    help=f"Default: {REAL_SCENES} where data is given, else {MADE_SCENES}; "
    "berlin has a library for recipes that need one.",
)
@click.option(
    "--recipes",
    metavar="A,B,...",
    default="archetypes+fcls,vca[restarts=1]+fcls",
    show_default=True,
    help="extractor+solver, with options in brackets, or recipes by name or file.",
)
@click.option("--noise", metavar="DB,...", default="inf,30,20", show_default=True, help="SNR of added white noise, dB.")
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Runs of every combination.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the scenes; default: HSGEO_DATA.")
@click.option(
    "--count",
    type=click.Choice(["known", "auto"]),
    default="known",
    show_default=True,
    help="Whether recipes are told the number of endmembers.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    help="Folder of accuracy.csv (one row per run; goes on where it stopped) and accuracy.md.",
)
@click.option("--fresh", is_flag=True, help="Forget the runs that accuracy.csv holds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the sums over the seeds as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def accuracy(
    scenes: str | None,
    recipes: str,
    noise: str,
    seeds: int,
    data: Path | None,
    count: str,
    out: Path,
    fresh: bool,
    jobs: int,
    plugins: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Measure recipes on scenes with a truth: scenes x recipes x noise x seeds."""
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
    call = f"hsgeo benchmark accuracy --scenes {scenes} --recipes '{recipes}' --noise {noise} --seeds {seeds}"
    try:
        with progress_bars(quiet=quiet or as_json) as progress:
            summary = api.benchmark_accuracy(
                out,
                scenes=split_list(scenes),
                recipes=split_list(recipes),
                noise=levels,
                seeds=seeds,
                data=data,
                count=count,
                fresh=fresh,
                jobs=jobs,
                plugins=plugins,
                call=call + (" --count auto" if count == "auto" else ""),
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        click.echo(f"Stopped. Finished runs are in {out / 'accuracy.csv'}; {again} goes on with the rest.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif not quiet:
        _show(summary)
        click.echo(f"\n{out / 'accuracy.csv'}: one row per run; {out / 'accuracy.md'}: this table")


def parse_levels(text: str) -> list[float]:
    """Read noise levels, dB; ``inf`` is none."""
    from hsgeo.errors import ConfigError

    try:
        levels = [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"--noise {text!r}", "numbers in dB and inf, such as inf,30,20") from error
    if any(level != level or level == -float("inf") for level in levels):
        raise ConfigError(f"--noise {text!r}", "numbers in dB and inf, such as inf,30,20")
    return levels


def _show(summary: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hsgeo.evaluation.accuracy.runs import SANITY
    from hsgeo.evaluation.accuracy.table import ordered

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    for scene in dict.fromkeys(row["scene"] for row in summary):
        mine = [row for row in summary if row["scene"] == scene]
        table = Table(
            title=f"{scene}  (truth {mine[0]['convention']}, scored in the {mine[0]['scale']} convention)",
            title_justify="left", title_style="bold", box=None, pad_edge=False,
        )  # fmt: skip
        heads = ("dB", "recipe", "n", "aRMSE", "std", "median", "worst", "SAD rad", "other", "s", "p")
        for k, head in enumerate(heads):
            table.add_column(head, justify="left" if k == 1 else "right", overflow="fold" if k == 1 else "ellipsis")
        for row in ordered(mine):
            style = "dim" if row["recipe"] in SANITY else None
            cells = [row["snr_db"], escape(row["recipe"]), str(row["runs"])]
            cells += [f"{row[key]:.4f}" for key in ("mean", "std", "median", "worst")]
            cells += ["" if row[key] is None else f"{row[key]:.4f}" for key in ("msad_rad", "other")]
            cells += [f"{row['seconds']:.2f}", "" if row["p"] is None else f"{row['p']:.2g}"]
            table.add_row(*cells, style=style)
        console.print(table)
        console.print()
