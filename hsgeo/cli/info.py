"""``hsgeo info``: what a file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["info"]


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reader", help="Reader, where several know the file.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def info(file: Path, reader: str | None, plugins: tuple[Path, ...], as_json: bool, verbose: bool) -> None:
    """Tell what FILE is: a scene or a product. Reads no pixels of a scene."""
    import json

    from hsgeo import api
    from hsgeo.plugin.registry import registry

    registry(plugins)
    found = api.describe(file, reader=reader)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=str(file), title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in found.items():
        table.add_row(key.replace("_", " "), escape(_text(value)))
    Console().print(table, highlight=False)


def _text(value: Any) -> str:
    """Write a fact for people: coordinates to the millimetre, shares to four digits, nothing as a dash."""
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {item:.4g}" if isinstance(item, float) else f"{name} {item}" for name, item in value.items()
        )
    if isinstance(value, list):
        return ", ".join(f"{item:.10g}" if isinstance(item, float) else str(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
