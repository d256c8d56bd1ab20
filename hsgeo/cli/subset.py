"""``hsgeo subset``: a part of a scene as chunked Zarr."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["subset"]


@click.command("subset")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--bbox", metavar="W,S,E,N", help="Box that the smallest window of rows and columns shall hold.")
@click.option("--crs", default="EPSG:4326", show_default=True, help="Reference system of the box.")
@click.option("--wavelength", metavar="LOW-HIGH,...", help="Ranges of bands to keep, nm, such as 400-1000.")
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
def subset(
    file: Path,
    out: Path,
    bbox: str | None,
    crs: str,
    wavelength: str | None,
    reader: str | None,
    options: tuple[str, ...],
    chunk: int,
    zarr_format: str,
    plugins: tuple[Path, ...],
    overwrite: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write a part of the scene FILE as chunked Zarr, OUT.zarr: a box, some wavelengths, or both.

    Scenes on a map, rotated ones and swaths alike; pixels are not moved.
    """
    from hsgeo import api
    from hsgeo.cli.convert import opened, store
    from hsgeo.errors import ConfigError

    if bbox is None and wavelength is None:
        raise ConfigError("neither --bbox nor --wavelength was given", "one of them or both", "Whole: hsgeo convert")
    part = api.subset(opened(file, reader, options, plugins), bbox=bbox, crs=crs, wavelength=wavelength)
    store(part, file, out, chunk=chunk, zarr_format=int(zarr_format), overwrite=overwrite, quiet=quiet)
