"""What the commands of ``hsgeo library`` share: the options that say what is read, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

__all__ = ["Choice", "choice", "report"]

_OPTIONS = (
    click.option("--scale", type=float, help="Values are divided by this; default: what the file says, or their size."),
    click.option("--class-level", metavar="LEVEL", help="Column that gives the classes: 2 is level_2, or its name."),
    click.option("--select", multiple=True, metavar="NAME", help="Only these spectra; soil* takes all that match."),
    click.option("--drop", multiple=True, metavar="NAME", help="Leave these out."),
)


@dataclass(frozen=True)
class Choice:
    """What is read of a library, as the options say.

    Parameters
    ----------
    scale : float or None
        Values are divided by this; None: the reader finds out.
    level : str or None
        Column that gives the classes.
    select, drop : tuple of str
        Names of spectra, with wildcards.
    """

    scale: float | None
    level: str | None
    select: tuple[str, ...]
    drop: tuple[str, ...]

    def open(self, path: Path, dtype: str) -> Any:
        """Open a library as the options say."""
        from hsgeo import api

        return api.open_library(
            path, scale=self.scale, level=self.level, select=self.select, drop=self.drop, dtype=dtype
        )


def choice(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is read; it gets them as one argument, ``chosen``."""

    @wraps(command)
    def run(
        *args: Any,
        scale: float | None,
        class_level: str | None,
        select: tuple[str, ...],
        drop: tuple[str, ...],
        **others: Any,
    ) -> Any:
        return command(*args, chosen=Choice(scale, class_level, select, drop), **others)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def report(written: list[Path], library: Any) -> None:
    """Say what was written."""
    size = f"{library.sizes['spectrum']} spectra, {library.sizes['band']} bands"
    click.echo(f"{written[0]}  ({size})" + "".join(f"\n{path}" for path in written[1:]))
