"""``hsgeo benchmark speed``: the solvers beside others, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["load_of_machine", "speed"]


@click.command("speed")
@click.option("--pixels", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Pixels.")
@click.option("--bands", type=click.IntRange(min=1), default=200, show_default=True, help="Bands.")
@click.option("--counts", metavar="P,...", default="4,6,12,20,30", show_default=True, help="Numbers of endmembers.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads of each.")
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True, help="Turns; the shortest counts.")
@click.option(
    "--budget", type=click.FloatRange(min=0), default=60.0, show_default=True,
    help="Seconds; one that would take longer is timed on a fiftieth of the pixels.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for speed.csv and speed.md.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def speed(
    pixels: int,
    bands: int,
    counts: str,
    threads: int,
    repeat: int,
    budget: float,
    out: Path | None,
    verbose: bool,
) -> None:
    """Time fcls and nnls beside Y @ E, spams and per-pixel NNLS, and check that all are optimal."""
    from rich.console import Console

    from hsgeo.evaluation import speed as timing
    from hsgeo.evaluation.accuracy.table import machine

    numbers = _numbers(counts)
    load = load_of_machine()
    notes = Console(stderr=True)
    with notes.status("") as status:
        rows = timing.measure(
            numbers, pixels=pixels, bands=bands, threads=threads, repeat=repeat, budget=budget, tell=status.update
        )
    _show(rows, numbers, timing.ratios)
    if out is not None:
        call = (
            f"hsgeo benchmark speed --pixels {pixels} --bands {bands} --counts {counts} --threads {threads} "
            f"--repeat {repeat} --budget {budget:g}"
        )
        out.mkdir(parents=True, exist_ok=True)
        (out / "speed.csv").write_text(timing.to_csv(rows), encoding="utf-8")
        page = timing.to_markdown(rows, call=call, machine=machine() | _others() | load)
        (out / "speed.md").write_text(page, encoding="utf-8")
        click.echo(f"\n{out / 'speed.csv'}: one row per solver; {out / 'speed.md'}: these tables")


def _numbers(text: str) -> list[int]:
    from hsgeo.errors import ConfigError
    from hsgeo.spectra.solvers import LARGEST_COUNT

    accepted = f"numbers from 1 to {LARGEST_COUNT}, such as 4,6,12"
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"--counts {text!r}", accepted) from error
    if not found or min(found) < 1 or max(found) > LARGEST_COUNT:
        raise ConfigError(f"--counts {text!r}", accepted)
    return list(dict.fromkeys(found))


def load_of_machine() -> dict[str, str]:
    """Tell how busy the machine is before the run: its own work would count."""
    import os

    if not hasattr(os, "getloadavg"):
        return {}
    return {"load before the run": f"{os.getloadavg()[0]:.1f} processes, mean of a minute"}


def _others() -> dict[str, str]:
    """Tell the versions of those that hsgeo is compared with."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"compared with": f"spams-bin {version('spams-bin')}"}
    except PackageNotFoundError:
        return {"compared with": "spams absent"}


def _show(rows: list[dict[str, Any]], counts: list[int], ratios: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    for count in counts:
        table = Table(title=f"{count} endmembers", title_justify="left", title_style="bold", box=None, pad_edge=False)
        for k, head in enumerate(("solver", "pixels", "s", "Mpx/s", "KKT residual")):
            table.add_column(head, justify="left" if k == 0 else "right")
        for row in (row for row in rows if row["count"] == count):
            if row["seconds"] is None:
                table.add_row(row["name"], "", "", "absent", "", style="dim")
                continue
            kkt = "" if row["problem"] == "product" else f"{row['kkt']:.1e}"
            table.add_row(
                row["name"], f"{row['pixels']:,}", f"{row['seconds']:.3g}", f"{row['mpx_per_s']:.3g}", kkt,
                style="bold" if row["name"].startswith("hsgeo") else None,
            )  # fmt: skip
        console.print(table, highlight=False)
        compared = [f"{label} {value:.3g}" for label, value in ratios(rows, count=count).items() if value is not None]
        console.print("; ".join(compared) + "\n", highlight=False)
