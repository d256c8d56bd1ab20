"""``hsgeo benchmark readers``: memory and speed of the readers on files of full size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["readers"]


@click.command("readers")
@click.option("--readers", "names", metavar="A,B,...", help="Readers; default: all that have yardsticks.")
@click.option(
    "--longest", type=click.IntRange(min=1), help="Rows and columns at most, for a trial; default: full size."
)
@click.option(
    "--tiles", type=click.IntRange(min=1), default=8, show_default=True, help="Windows of 128 x 128 pixels to read."
)
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True, help="Turns of each window.")
@click.option("--reads", type=click.IntRange(min=1), default=200, show_default=True, help="Reads of each of 8 threads.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the files are made, one at a time (up to 8 GB); default: the folder for temporary files.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for reading.csv and reading.md.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def readers(
    names: str | None,
    longest: int | None,
    tiles: int,
    repeat: int,
    reads: int,
    folder: Path | None,
    out: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Measure the memory and speed of readers on files as large as real ones, beside h5py and rasterio."""
    import json

    from rich.console import Console

    from hsgeo.cli.benchmark.speed import load_of_machine
    from hsgeo.evaluation import readers as reading
    from hsgeo.evaluation.accuracy.recipes import split_list
    from hsgeo.evaluation.accuracy.table import machine

    load = load_of_machine()
    with Console(stderr=True).status("") as status:
        rows = reading.measure(
            reading.products(split_list(names or ""), plugins=plugins),
            folder=folder,
            longest=longest,
            tiles=tiles,
            repeat=repeat,
            reads=reads,
            plugins=plugins,
            tell=status.update,
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(rows, reading.faults)
    if out is not None:
        call = "hsgeo benchmark readers" + (f" --readers {names}" if names else "")
        call += f" --longest {longest}" if longest else ""
        call += f" --tiles {tiles} --repeat {repeat} --reads {reads}"
        out.mkdir(parents=True, exist_ok=True)
        (out / "reading.csv").write_text(reading.to_csv(rows), encoding="utf-8")
        page = reading.to_markdown(rows, call=call, machine=machine() | load)
        (out / "reading.md").write_text(page, encoding="utf-8")
        click.echo(f"\n{out / 'reading.csv'}: one row per product; {out / 'reading.md'}: this table", err=as_json)


def _show(rows: list[dict[str, Any]], faults: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge
        console = Console(width=140)
    table = Table(box=None, pad_edge=False)
    heads = ("product", "size", "info MB", "open MB", "open s", "tile ms", "plain ms", "speed", "worst", "wrong")
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k == 0 else "right")
    for row in rows:
        table.add_row(
            row["product"], f"{row['rows']} x {row['cols']} x {row['bands']}",
            f"{row['info_mb']:.0f}", f"{row['open_mb']:.0f}", f"{row['open_s']:.2f}",
            f"{row['tile_ms']:.1f}", f"{row['plain_ms']:.1f}", f"{row['speed']:.2f}", f"{row['speed_worst']:.2f}",
            f"{row['thread_wrong']} of {row['thread_reads']}",
            style="red" if faults(row) else None,
        )  # fmt: skip
    console.print(table, highlight=False)
    beyond = [f"{row['product']} ({', '.join(faults(row))})" for row in rows if faults(row)]
    console.print("beyond their limits: " + "; ".join(beyond) if beyond else "all within their limits", highlight=False)
