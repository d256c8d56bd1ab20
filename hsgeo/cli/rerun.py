"""``hsgeo rerun``: make a product again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["rerun"]


@click.command("rerun")
@click.argument("product", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new product.")
@click.option("--input", "input_", type=click.Path(path_type=Path), help="The scene, where it has moved.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="One-file plugin it used.")
@click.option("--cluster", metavar="local:N|cuda|tcp://...", help="dask cluster.")
@click.option("--overwrite", is_flag=True, help="Replace an existing product.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def rerun(
    product: Path,
    out: Path,
    input_: Path | None,
    plugins: tuple[Path, ...],
    cluster: str | None,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Repeat the run that made PRODUCT: same recipe, same seed, same scene, installed plugins."""
    from hsgeo import api
    from hsgeo.cli.job import Job, run_job
    from hsgeo.errors import ConfigError, ProductError
    from hsgeo.plugin.registry import registry

    registry(plugins)
    again = api.read_run(product)
    if input_ is None and again.path is None:
        raise ProductError(f"{product} was made from a scene in memory", "a scene in a file", "Give it with --input")
    source = input_ or Path(str(again.path))
    if not source.exists():
        raise ConfigError(f"the scene of {product} is no longer at {source}", "its scene", "Say where it is: --input")
    job = Job(
        input=source,
        out=out,
        recipe=again.recipe,
        endmembers=again.library,
        cluster=cluster,
        overwrite=overwrite,
        quiet=quiet,
        as_json=as_json,
        expected=again.source,
    )
    sys.exit(run_job(job))
