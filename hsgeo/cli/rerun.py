"""``hsgeo rerun``: make a product again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

__all__ = ["rerun"]


@click.command("rerun")
@click.argument("product", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new product.")
@click.option("--input", "input_", type=click.Path(path_type=Path), help="The scene, where it has moved.")
@click.option(
    "--name-from",
    type=click.Path(path_type=Path),
    metavar="LIBRARY",
    help="The library that gave the names, where it has moved.",
)
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
    name_from: Path | None,
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
    if again.naming is None and name_from is not None:
        raise ConfigError(f"{product} has no names from a library", "no --name-from", "Leave it out")
    named = None if again.naming is None else _naming(product, again.naming, name_from)
    job = Job(
        input=source,
        out=out,
        recipe=again.recipe,
        endmembers=again.library,
        labels=again.labels,
        names_from=named,
        cluster=cluster,
        overwrite=overwrite,
        quiet=quiet,
        as_json=as_json,
        expected=again.source,
        weights=again.weights,
    )
    sys.exit(run_job(job))


def _naming(product: Path, known: Mapping[str, Any], moved: Path | None) -> dict[str, Any]:
    """Say again which library gives the names; the fit checks that it is the same."""
    from hsgeo.errors import ConfigError, ProductError

    if moved is None and known["path"] is None:
        raise ProductError(
            f"the names of {product} came from a library in memory", "a library in a file", "Give it with --name-from"
        )
    library = moved or Path(str(known["path"]))
    if not library.exists():
        raise ConfigError(
            f"the library that named {product} is no longer at {library}", "that library", "Give it with --name-from"
        )
    kept = {key: known[key] for key in ("by", "threshold", "rival", "scale", "level", "hash")}
    return {"library": library, **kept}
