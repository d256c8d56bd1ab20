"""``hsgeo convert``: a scene of any format as chunked Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["convert", "opened", "reader_options", "store"]


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--reader", help="Reader, where several know the file.")
@click.option("-o", "options", multiple=True, metavar="reader.KEY=VALUE", help="Option of the reader.")
@click.option("--chunk", type=click.IntRange(min=1), default=128, show_default=True, help="Side of the chunks, pixels.")
@click.option(
    "--zarr-format", type=click.Choice(["2", "3"]), default="2", show_default=True, help="2: all GIS read it."
)
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--overwrite", is_flag=True, help="Replace an existing store.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def convert(
    file: Path,
    out: Path,
    reader: str | None,
    options: tuple[str, ...],
    chunk: int,
    zarr_format: str,
    plugins: tuple[Path, ...],
    overwrite: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write the scene FILE as chunked Zarr, OUT.zarr, with everything that its reader gives."""
    scene = opened(file, reader, options, plugins)
    store(scene, file, out, chunk=chunk, zarr_format=int(zarr_format), overwrite=overwrite, quiet=quiet)


def opened(file: Path, reader: str | None, options: tuple[str, ...], plugins: tuple[Path, ...]) -> Any:
    """Open a scene as the command line says; the values of ``-o`` are YAML."""
    from hsgeo import api
    from hsgeo.plugin.registry import registry

    registry(plugins)
    return api.open_scene(file, reader=reader, options=reader_options(options), chunks=None)


def reader_options(options: tuple[str, ...]) -> dict[str, Any]:
    """Read ``-o reader.KEY=VALUE`` of commands that do nothing but open a scene."""
    from hsgeo.cli.unmix import _options
    from hsgeo.errors import ConfigError

    wrong = [pair for pair in options if not pair.startswith("reader.") or "=" not in pair]
    if wrong:
        raise ConfigError(f"-o {wrong[0]!r}", "reader.key=value", "`hsgeo show READER` lists the options")
    return {key.removeprefix("reader."): value for key, value in _options(options).items()}


def store(scene: Any, file: Path, out: Path, *, chunk: int, zarr_format: int, overwrite: bool, quiet: bool) -> None:
    """Write a scene with a progress bar, and say what was written."""
    from hsgeo import api
    from hsgeo.cli.progress import notice, progress_bars

    with progress_bars(quiet=quiet) as progress:
        api.write_scene(
            scene, out, chunk=chunk, zarr_format=zarr_format, overwrite=overwrite, inputs=[file], progress=progress
        )
    if not quiet:
        bands, rows, cols = (scene.sizes[dim] for dim in ("band", "y", "x"))
        low, high = scene["wavelength"].values[[0, -1]]
        notice(f"{out}: {bands} bands from {low:.1f} to {high:.1f} nm, {rows} x {cols} pixels")
