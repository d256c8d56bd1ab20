"""What the commands of ``hsgeo library`` share: the options that say what is read, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["choice", "chosen", "report"]

_OPTIONS = (
    click.option("--scale", type=float, help="Values are divided by this; default: what the file says, or their size."),
    click.option("--class-level", metavar="LEVEL", help="Column that gives the classes: 2 is level_2, or its name."),
    click.option("--select", multiple=True, metavar="NAME", help="Only these spectra; soil* takes all that match."),
    click.option("--drop", multiple=True, metavar="NAME", help="Leave these out."),
)


def choice(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(
    path: Path, scale: float | None, level: str | None, select: tuple[str, ...], drop: tuple[str, ...], dtype: str
) -> Any:
    """Open a library as the options say."""
    from hsgeo import api

    return api.open_library(path, scale=scale, level=level, select=select, drop=drop, dtype=dtype)


def report(written: list[Path], library: Any) -> None:
    """Say what was written."""
    size = f"{library.sizes['spectrum']} spectra, {library.sizes['band']} bands"
    click.echo(f"{written[0]}  ({size})" + "".join(f"\n{path}" for path in written[1:]))
