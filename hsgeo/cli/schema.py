"""``hsgeo schema``: the JSON schema of recipes, for editors and other programs."""

from __future__ import annotations

import click

__all__ = ["schema"]


@click.command("schema")
@click.argument("name", required=False)
@click.option("--plugin", "files", multiple=True, type=click.Path(), metavar="FILE", help="Load a one-file plugin too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (this command always does).")
def schema(name: str | None, files: tuple[str, ...], as_json: bool) -> None:
    """Print the JSON schema of recipes and of the options of every stage, reader and writer, or of NAME alone."""
    import json

    from hsgeo.plugin.listing import describe, schema_all
    from hsgeo.plugin.registry import registry
    from hsgeo.stages.recipe import Recipe

    reg = registry(files)
    schemas = schema_all(reg) | {"recipe": Recipe.model_json_schema()}
    for broken, why in schemas["errors"].items():
        click.echo(f"{broken} is left out: {why}", err=True)
    if name is not None:
        describe(reg, name)  # raises with suggestions when there is none of that name
        kinds = ("stages", "readers", "writers")
        schemas = {kind: {name: schemas[kind][name]} for kind in kinds if name in schemas[kind]}
    click.echo(json.dumps(schemas, indent=2))
