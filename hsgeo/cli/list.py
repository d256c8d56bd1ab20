"""``hsgeo list``: what is installed."""

from __future__ import annotations

import click

__all__ = ["list_"]

_COLUMNS = {
    "stages": ("name", "summary", "reads", "writes", "plugin"),
    "readers": ("name", "summary", "patterns", "plugin"),
    "writers": ("name", "summary", "suffixes", "plugin"),
    "recipes": ("name", "summary", "plugin"),
    "plugins": ("name", "plugin", "error"),
}


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(tuple(_COLUMNS)))
@click.option("--plugin", "files", multiple=True, type=click.Path(), metavar="FILE", help="Load a one-file plugin too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(kind: str | None, files: tuple[str, ...], as_json: bool) -> None:
    """List stages, readers, writers, recipes and plugins; nothing of them is loaded."""
    from hsgeo.plugin.listing import list_all
    from hsgeo.plugin.registry import registry

    rows = list_all(registry(files), kind)
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for title, entries in rows.items():
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in _COLUMNS[title]:
            table.add_column(column, overflow="fold", no_wrap=column == "name")
        for entry in entries:
            cells = [entry.get(column, "") for column in _COLUMNS[title]]
            texts = [", ".join(cell) if isinstance(cell, list) else str(cell or "") for cell in cells]
            broken = entry.get("error") not in (None, "disabled")
            if broken and title != "plugins":
                texts[1] = f"ERROR: {entry['error']}"
            table.add_row(*map(escape, texts), style="red" if broken else None)
        console.print(table if entries else f"[bold]{title}[/bold]\n(none)")
        console.print()
