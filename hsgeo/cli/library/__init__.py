"""``hsgeo library``: one file per command, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["library"]

_COMMANDS = {
    "info": "hsgeo.cli.library.info:info",
    "convert": "hsgeo.cli.library.convert:convert",
    "resample": "hsgeo.cli.library.resample:resample",
}


class _Lazy(click.Group):
    """Loads a command's file when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group("library", cls=_Lazy)
def library() -> None:
    """Look at spectral libraries, convert them, bring them to a sensor.

    A library is ENVI .sli, CSV, a folder of ECOSTRESS or USGS splib07 text files, .zarr, .nc, or a product.
    """
