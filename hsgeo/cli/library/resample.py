"""``hsgeo library resample``: a library on the bands of a sensor."""

from __future__ import annotations

from pathlib import Path

import click

from hsgeo.cli.library.choice import Choice, choice, report

__all__ = ["resample"]


@click.command("resample")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="SENSOR|FILE", help="Sensor, scene, library, product or CSV of bands.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The library: .sli, .csv, .zarr or .nc.")
@choice
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def resample(
    source: Path,
    to: str,
    out: Path,
    chosen: Choice,
    overwrite: bool,
    verbose: bool,
) -> None:
    """Bring the library IN to the bands of a sensor, by band centre and width (FWHM).

    Nothing is extrapolated: bands that the library does not cover are NaN.
    """
    from hsgeo import api

    library = api.resample_library(chosen.open(source, "float32"), to)
    inputs = [source, *([Path(to)] if Path(to).exists() else [])]
    report(api.write_library(library, out, overwrite=overwrite, inputs=inputs), library)
