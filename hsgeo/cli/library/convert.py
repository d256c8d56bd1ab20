"""``hsgeo library convert``: a library in another format."""

from __future__ import annotations

from pathlib import Path

import click

from hsgeo.cli.library.choice import choice, chosen, report

__all__ = ["convert"]


@click.command("convert")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@choice
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def convert(
    source: Path,
    target: Path,
    scale: float | None,
    class_level: str | None,
    select: tuple[str, ...],
    drop: tuple[str, ...],
    overwrite: bool,
    verbose: bool,
) -> None:
    """Write the library IN as OUT: .sli (ENVI), .csv, .zarr or .nc.

    No digit is lost but in .csv of 64-bit spectra; .csv keeps no band widths, and one wavelength grid as .sli does.
    """
    from hsgeo import api

    library = chosen(source, scale, class_level, select, drop, "float64")
    report(api.write_library(library, target, overwrite=overwrite, inputs=[source]), library)
