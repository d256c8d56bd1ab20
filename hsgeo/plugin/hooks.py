"""The five hooks of hsgeo. They register, they never compute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from hsgeo.plugin.records import CatalogRecord, ReaderRecord, StageRecord, WriterRecord

if TYPE_CHECKING:
    import click

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("hsgeo")
hookimpl = pluggy.HookimplMarker("hsgeo")


@hookspec
def hsgeo_readers() -> Iterable[ReaderRecord]:
    """Name the readers of this plugin.

    Examples
    --------
    >>> @hookimpl
    ... def hsgeo_readers():
    ...     yield ReaderRecord("my-sensor", "my_package.reader:MyReader", "my sensor, level 2", patterns=("*.mys",))
    """


@hookspec
def hsgeo_stages() -> Iterable[StageRecord]:
    """Name the stages of this plugin.

    Examples
    --------
    >>> from hsgeo.plugin import scene, tile
    >>> @hookimpl
    ... def hsgeo_stages():
    ...     yield StageRecord(
    ...         "my-solver", "my_package.solver:MySolver", "abundances my way",
    ...         reads=(tile("spectra"), scene("endmembers")), writes=(tile("abundance"),),
    ...     )
    """


@hookspec
def hsgeo_writers() -> Iterable[WriterRecord]:
    """Name the writers of this plugin.

    Examples
    --------
    >>> @hookimpl
    ... def hsgeo_writers():
    ...     yield WriterRecord("my-format", "my_package.writer:MyWriter", "my format", suffixes=(".mine",))
    """


@hookspec
def hsgeo_catalogs() -> Iterable[CatalogRecord]:
    """Name the data folders of this plugin: sensors, recipes, weights, spectra, scenes.

    Examples
    --------
    >>> @hookimpl
    ... def hsgeo_catalogs():
    ...     yield CatalogRecord("recipes", "my_package", "recipes")
    """


@hookspec
def hsgeo_commands(cli: click.Group) -> None:
    """Add commands to the ``hsgeo`` command line.

    Parameters
    ----------
    cli : click.Group
        The root group.

    Examples
    --------
    >>> import click
    >>> @hookimpl
    ... def hsgeo_commands(cli):
    ...     @cli.command("hello")
    ...     def hello():
    ...         click.echo("hello")
    """
