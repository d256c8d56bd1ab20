"""``hsgeo library``: one file per command, loaded when it is asked for."""

from __future__ import annotations

import click

from hsgeo.cli.lazy import LazyGroup

__all__ = ["library"]

_COMMANDS = {
    "info": "hsgeo.cli.library.info:info",
    "convert": "hsgeo.cli.library.convert:convert",
    "resample": "hsgeo.cli.library.resample:resample",
}


@click.group("library", cls=LazyGroup, lazy=_COMMANDS)
def library() -> None:
    """Look at spectral libraries, convert them, bring them to a sensor.

    A library is ENVI .sli, CSV, a folder of ECOSTRESS or USGS splib07 text files, .zarr, .nc, or a product.
    """
