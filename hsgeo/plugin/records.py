"""What a plugin hands to hsgeo: frozen records that name code by string and load nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from hsgeo.errors import PluginError

__all__ = ["CatalogRecord", "ReaderRecord", "Scope", "StageRecord", "Var", "WriterRecord", "scene", "tile"]

Scope = Literal["scene", "tile"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Var:
    """A variable that a stage reads or writes, and where it lives.

    Parameters
    ----------
    name : str
        Variable name, for example ``"abundance"``.
    scope : {"scene", "tile"}
        ``"scene"``: one value for the whole scene (endmembers, noise).
        ``"tile"``: a raster with ``y`` and ``x`` (spectra, abundance).
    optional : bool
        Read when there; written only when `Stage.outputs` says so.
    """

    name: str
    scope: Scope
    optional: bool = False

    def __post_init__(self) -> None:
        if self.scope not in ("scene", "tile"):
            raise PluginError(f"variable {self.name!r} has scope {self.scope!r}", "'scene' or 'tile'")


def scene(name: str, *, optional: bool = False) -> Var:
    """Name a scene-scope variable: one for the whole scene, such as ``endmembers``.

    Parameters
    ----------
    name : str
        Name of the variable.
    optional : bool
        As in `Var`.

    Returns
    -------
    Var
        For ``reads=`` and ``writes=``.
    """
    return Var(name, "scene", optional)


def tile(name: str, *, optional: bool = False) -> Var:
    """Name a tile-scope variable: a raster over ``y`` and ``x``, such as ``abundance``.

    Parameters
    ----------
    name : str
        Name of the variable.
    optional : bool
        As in `Var`.

    Returns
    -------
    Var
        For ``reads=`` and ``writes=``.
    """
    return Var(name, "tile", optional)


@dataclass(frozen=True)
class _Record:
    name: str
    target: str
    summary: str
    options: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise PluginError(
                f"{type(self).__name__} has the name {self.name!r}",
                "lower-case words joined by hyphens, such as 'abundance-diffusion'",
            )
        _check_target(self, "target", self.target)
        _check_target(self, "options", self.options)


def _check_target(record: _Record, label: str, value: str | None) -> None:
    if value is not None and not _TARGET.fullmatch(value):
        raise PluginError(
            f"{type(record).__name__} {record.name!r} has {label}={value!r}",
            "'package.module:Name', a string, so that listing imports nothing",
        )


@dataclass(frozen=True)
class StageRecord(_Record):
    """A stage by name: where its code is, what it reads and writes.

    Parameters
    ----------
    name : str
        Name used in recipes, lower case with hyphens.
    target : str
        ``"package.module:Class"``; the class is called with one argument, its options.
    summary : str
        One line for ``hsgeo list stages``.
    options : str, optional
        ``"package.module:Model"``, a frozen pydantic model with ``extra="forbid"``; None: no options.
    reads, writes : tuple of Var
        Built with `scene` and `tile`.
    trainer : str, optional
        ``"package.module:Class"`` of a `Trainer` for ``hsgeo train``.
    trains : str, optional
        Name of the weights that the trainer makes, such as ``"abundance-prior"``; ``hsgeo train`` takes it as it takes
        the name of the stage.
    overcomplete : bool
        Whether a stage that reads ``endmembers`` takes more of them than there are bands: a spectral library.
    """

    reads: tuple[Var, ...] = ()
    writes: tuple[Var, ...] = ()
    trainer: str | None = None
    trains: str | None = None
    overcomplete: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.writes:
            raise PluginError(f"stage {self.name!r} writes nothing", "at least one variable in writes=")
        if self.trains is not None and (self.trainer is None or not _NAME.fullmatch(self.trains)):
            raise PluginError(
                f"stage {self.name!r} has trains={self.trains!r}" + ("" if self.trainer else " and no trainer"),
                "lower-case words joined by hyphens, the name of what its trainer makes",
                "Name the trainer, too, or leave trains= out",
            )


@dataclass(frozen=True)
class ReaderRecord(_Record):
    """A reader by name, with the file names that make asking it worth while.

    Parameters
    ----------
    name, target, summary, options
        As for `StageRecord`; the target is called with no argument.
    patterns : tuple of str
        Shell patterns of file or folder names, matched without case; ``("*",)`` asks always.
    yardsticks : str, optional
        ``"package.module:NAME"`` of a mapping of product names to `Yardstick`, for ``hsgeo benchmark readers``.
    """

    patterns: tuple[str, ...] = ("*",)
    yardsticks: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_target(self, "yardsticks", self.yardsticks)


@dataclass(frozen=True)
class WriterRecord(_Record):
    """A writer by name, with the suffixes of the paths it writes.

    Parameters
    ----------
    name, target, summary, options
        As for `StageRecord`; the target is called with one argument, its options.
    suffixes : tuple of str
        Lower case with the dot, such as ``(".zarr",)``.
    """

    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CatalogRecord:
    """A folder of data files inside an installed package.

    Parameters
    ----------
    kind : {"sensors", "recipes", "weights", "spectra", "scenes"}
        What the files are.
    package : str
        Import name of the package that holds the folder.
    folder : str
        Folder inside the package.
    """

    kind: Literal["sensors", "recipes", "weights", "spectra", "scenes"]
    package: str
    folder: str = field(default="")
