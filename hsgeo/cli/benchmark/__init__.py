"""``hsgeo benchmark``: how good and how fast, measured here; one file per measurement, loaded when asked for."""

from __future__ import annotations

import click

from hsgeo.cli.lazy import LazyGroup

__all__ = ["benchmark"]

_COMMANDS = {
    "accuracy": "hsgeo.cli.benchmark.accuracy:accuracy",
    "blind": "hsgeo.cli.benchmark.blind:blind",
    "endmembers": "hsgeo.cli.benchmark.endmembers:endmembers",
    "noise": "hsgeo.cli.benchmark.noise:noise",
    "readers": "hsgeo.cli.benchmark.readers:readers",
    "speed": "hsgeo.cli.benchmark.speed:speed",
    "uncertainty": "hsgeo.cli.benchmark.uncertainty:uncertainty",
}


@click.group("benchmark", cls=LazyGroup, lazy=_COMMANDS)
def benchmark() -> None:
    """Measure accuracy and speed on this machine."""
