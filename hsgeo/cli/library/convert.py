"""``hsgeo library convert``: a library in another format."""

from __future__ import annotations

from pathlib import Path

import click

from hsgeo.cli.library.choice import Choice, choice, report

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
    chosen: Choice,
    overwrite: bool,
    verbose: bool,
) -> None:
    """Write the library IN as OUT: .sli (ENVI), .csv, .zarr or .nc.

    No digit is lost but in .csv of 64-bit spectra; .csv keeps no band widths, and one wavelength grid as .sli does.
    """
    from hsgeo import api

    library = chosen.open(source, "float64")
    report(api.write_library(library, target, overwrite=overwrite, inputs=[source]), library)
