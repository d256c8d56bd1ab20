"""``hsgeo benchmark uncertainty``: do stated errors cover the truth, on scenes unlike those of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hsgeo.cli.benchmark.accuracy import parse_levels

__all__ = ["uncertainty"]

# the fewest samples whose 95 % intervals can be right
_METHODS = "hybridstu+abundance-diffusion[samples=39,keep_samples=true]"


@click.command("uncertainty")
@click.option(
    "--methods",
    metavar="A,B,...",
    default=_METHODS,
    show_default=True,
    help="Beside the closed form: stages with options in brackets, joined by + to chains, or recipes, that write "
    "abundance_sample or abundance_std.",
)
@click.option("--scenes", metavar="A,B,...", help="Kinds of synthetic scenes; default: all.")
@click.option(
    "--noise", "levels", metavar="DB,...", default="30,20,15,10", show_default=True, help="SNR of the noise, dB."
)
@click.option("--seeds", type=click.IntRange(min=1), default=2, show_default=True, help="Scenes of every kind.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmarks"),
    show_default=True,
    help="Folder of uncertainty.csv (two rows per run; goes on where it stopped), uncertainty.md and uncertainty.png.",
)
@click.option("--fresh", is_flag=True, help="Forget the runs that uncertainty.csv holds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def uncertainty(
    methods: str,
    scenes: str | None,
    levels: str,
    seeds: int,
    out: Path,
    fresh: bool,
    jobs: int,
    plugins: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Measure whether stated uncertainties cover the truth, on synthetic scenes unlike those of training."""
    import json

    from hsgeo import api
    from hsgeo.cli.progress import progress_bars
    from hsgeo.evaluation.accuracy.recipes import split_list

    call = f"hsgeo benchmark uncertainty --methods '{methods}' --noise {levels} --seeds {seeds}"
    if scenes is not None:
        call += f" --scenes {scenes}"
    numbers = parse_levels(levels)
    try:
        with progress_bars(quiet=quiet or as_json) as progress:
            summary = api.benchmark_uncertainty(
                out,
                methods=split_list(methods),
                scenes=split_list(scenes or ""),
                levels=numbers,
                seeds=seeds,
                fresh=fresh,
                jobs=jobs,
                plugins=plugins,
                call=call,
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        click.echo(f"Stopped. Finished runs are in {out / 'uncertainty.csv'}; {again} goes on with the rest.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif not quiet:
        _show(summary)
        click.echo(f"\n{out / 'uncertainty.csv'}: two rows per run; {out / 'uncertainty.md'}: these tables and more")


def _show(summary: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hsgeo.evaluation.uncertainty.page import level_name, percent
    from hsgeo.evaluation.uncertainty.scenes import TRUTHS
    from hsgeo.evaluation.uncertainty.verdict import LIMITS, judge
    from hsgeo.spectra.metrics import LEVELS

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=160)
    for truth in TRUTHS:
        table = Table(
            title=f"covered, %; truth: {truth}", title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        heads = [f"{100 * level:g} %" for level in LEVELS]
        table.add_column("noise")
        table.add_column("method", overflow="fold")
        for head in (*(f"inside {head}" for head in heads), "width 90 %", "zeros 90 %", "CRPS", "AUSE"):
            table.add_column(head, justify="right", overflow="ellipsis")
        for row in summary:
            if row["truth"] == truth and row["scene"] is None:
                cells = [percent(row[f"inside_cover_{level:g}"]) for level in LEVELS]
                cells += ["" if row["inside_width_0.9"] is None else f"{row['inside_width_0.9']:.3f}"]
                cells += [percent(row["zero_cover_0.9"])]
                cells += ["" if row[key] is None else f"{row[key]:.4f}" for key in ("crps", "ause")]
                table.add_row(level_name(row["snr_db"]), escape(row["method"]), *cells)
        console.print(table, highlight=False)
        console.print()
    low, high = (percent(limit) for limit in LIMITS)
    for one in judge(summary):
        mark = "[green]met[/]" if one.passed else "[red]not met[/]"
        text = f"{escape(one.method)}: 90 % intervals, {one.requirement}: {percent(one.value)} %, {low} to {high} %"
        console.print(f"{text}: {mark}", highlight=False)
