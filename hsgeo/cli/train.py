"""``hsgeo train NAME``: train the network of a stage, or adapt it to a scene."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

__all__ = ["train"]


@click.command("train")
@click.argument("name")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder of weights, card, curve, checkpoint."
)
@click.option(
    "--finetune",
    metavar="SCENE",
    type=click.Path(path_type=Path),
    help="Start from the shipped weights, and adapt them to this scene; it needs no labels.",
)
@click.option("--budget", default="30min", show_default=True, help="2000steps, 90s, 30min or 2h.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random.")
@click.option(
    "--size",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="small: a smaller network, quick on a CPU.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="auto: bfloat16 where the device has instructions for it.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of torch; default: as torch chooses.")
@click.option("--resume", is_flag=True, help="Go on with the training in the folder; the budget may have grown.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def train(
    name: str,
    out: Path,
    finetune: Path | None,
    budget: str,
    device: str,
    seed: int,
    size: str,
    precision: str,
    threads: int | None,
    resume: bool,
    plugins: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Train the weights NAME, such as abundance-prior, on synthetic scenes, within a budget of time or steps.

    The name of the stage that uses them does as well.
    """
    import json

    from hsgeo import api

    try:
        with _bar(quiet=quiet or as_json) as progress:
            result = api.train(
                name,
                out=out,
                finetune=finetune,
                budget=budget,
                device=device,
                seed=seed,
                size=size,
                precision=precision,
                threads=threads,
                resume=resume,
                plugins=plugins,
                progress=progress,
            )
    except KeyboardInterrupt:
        again = "" if resume else " with --resume"
        click.echo(f"Stopped. The same command{again} goes on from the last checkpoint in {out}.", err=True)
        raise click.exceptions.Exit(1) from None
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2, allow_nan=False))
    elif not quiet:
        _show(name, result)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """Yield what draws a bar with loss and score, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda moment: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("step {task.fields[step]:,}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]:.4g}  score {task.fields[score]:.4g}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    nan = float("nan")
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=1.0, step=0, loss=nan, score=nan)
        yield lambda moment: bars.update(
            task, completed=moment.fraction, step=moment.step, loss=moment.loss, score=moment.score
        )


def _show(name: str, result: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hsgeo import api

    recipe, stage = api.users_of_weights(name)
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    skipped = f", {result.skipped_steps:,} skipped" if result.skipped_steps else ""
    table = Table(title=result.architecture, title_justify="left", title_style="bold", box=None, show_header=False)
    for key, value in (
        ("steps", f"{result.steps:,}{skipped}"),
        ("time", f"{result.seconds / 60:.1f} min on {result.device}, {result.precision}"),
        ("parameters", f"{result.parameters:,}"),
        ("score", f"{result.first_score:.4g} -> {result.score:.4g} (validation, lower is better)"),
        ("weights", str(result.weights)),
        ("sha256", result.sha256),
        ("card", str(result.card)),
        ("curve", str(result.curve)),
    ):
        table.add_row(key, escape(value), style=None)
    console.print(table, soft_wrap=True)
    console.print("\nUse them:", highlight=False)
    console.print(
        f"  hsgeo unmix --input SCENE --out abund.zarr --recipe {escape(recipe)} "
        f"-o {escape(stage)}.weights={escape(str(result.weights))}",
        highlight=False,
        soft_wrap=True,
    )
