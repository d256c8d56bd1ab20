"""``hsgeo benchmark``: how good and how fast, measured here; one file per measurement, loaded when asked for."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["benchmark"]

_COMMANDS = {
    "accuracy": "hsgeo.cli.benchmark.accuracy:accuracy",
    "speed": "hsgeo.cli.benchmark.speed:speed",
}


class _Lazy(click.Group):
    """Loads a measurement's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group("benchmark", cls=_Lazy)
def benchmark() -> None:
    """Measure accuracy and speed on this machine."""
