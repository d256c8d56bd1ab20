"""``hsgeo show NAME``: the options of a stage, reader or writer."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["show"]


@click.command("show")
@click.argument("name")
@click.option("--plugin", "files", multiple=True, type=click.Path(), metavar="FILE", help="Load a one-file plugin too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, files: tuple[str, ...], as_json: bool) -> None:
    """Show what the stage, reader or writer NAME does and which options it takes; NAME scene: how scenes are seen."""
    import json

    from hsgeo.plugin.listing import describe
    from hsgeo.plugin.registry import registry

    rows = [_scene_block()] if name == "scene" else describe(registry(files), name)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for row in rows:
        console.print(f"[bold]{row['kind']} {escape(row['name'])}[/bold]: {escape(row['summary'])}")
        for key in ("reads", "writes", "patterns", "suffixes"):
            if row.get(key):
                console.print(f"  {key}: {escape(', '.join(row[key]))}")
        console.print(f"  plugin: {escape(row['plugin'])}, {escape(row['target'])}", soft_wrap=True)
        if not row["options"]:
            console.print("  no options\n")
            continue
        table = Table(box=None, pad_edge=False)
        for column in ("option", "type", "default", "meaning"):
            table.add_column(column, overflow="fold", no_wrap=column == "option")
        for option in row["options"]:
            default = option["default"]
            text = default if default == "(required)" else json.dumps(default)
            table.add_row(*map(escape, (option["name"], option["type"], text, option["description"])))
        console.print(table)
        console.print()


def _scene_block() -> dict[str, Any]:
    """Describe the ``scene:`` block of a recipe, that is ``-o scene.KEY=VALUE``, as `describe` does stages."""
    from hsgeo.plugin.listing import options_of
    from hsgeo.stages.recipe import SceneOptions

    return {
        "kind": "block",
        "name": "scene",
        "summary": "how the scene is looked at, whatever the stages (-o scene.KEY=VALUE)",
        "plugin": "hsgeo",
        "target": "hsgeo.stages.recipe:SceneOptions",
        "options": options_of(SceneOptions.model_json_schema()),
    }
