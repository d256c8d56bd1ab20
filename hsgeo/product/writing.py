"""Before anything is written: which writer, and may it write there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from hsgeo.errors import ConfigError, ProductError
from hsgeo.plugin.records import WriterRecord
from hsgeo.product.opening import unfinished

__all__ = ["check_target", "choose_writer"]


def choose_writer(path: str | Path, name: str | None = None) -> WriterRecord:
    """Find the writer for an output, by its suffix or by name.

    Parameters
    ----------
    path : str or pathlib.Path
        The output.
    name : str, optional
        A writer's name, where the suffix is not to decide.

    Returns
    -------
    WriterRecord
        For ``registry().load(record)``.

    Raises
    ------
    ConfigError
        When no writer, or more than one, takes the suffix.
    PluginError
        When there is no writer of that name.
    """
    from hsgeo.plugin.registry import registry

    known = registry()
    if name is not None:
        return known.writer(name)
    suffix = Path(path).suffix.lower()
    takers = [record for record in known.writers.values() if suffix in record.suffixes]
    if len(takers) == 1:
        return takers[0]
    if takers:
        names = " and ".join(repr(record.name) for record in takers)
        raise ConfigError(
            f"{path}: the writers {names} take {suffix}", "one writer", "Name one with -o output.use=NAME"
        )
    accepted = "; ".join(f"{', '.join(r.suffixes)} ({r.name}: {r.summary})" for r in known.writers.values())
    found = f"{path} has no suffix" if not suffix else f"{path}: no writer takes {suffix}"
    said = "".join(f". {line}" for line in known.trouble())
    raise ConfigError(found, accepted or "no writer is installed", f"Give --out one of these suffixes{said}")


def check_target(path: str | Path, *, overwrite: bool, resume: bool, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse an output that cannot, or must not, be written; nothing is created or removed.

    The parent folder must exist: it is not made, so that a mistyped path does not grow a tree of folders.

    Parameters
    ----------
    path : str or pathlib.Path
        The output.
    overwrite, resume : bool
        What the user allowed.
    inputs : iterable of str or pathlib.Path
        Files and folders that are read.

    Raises
    ------
    ProductError
        When the output exists, is or holds an input, or cannot be written.
    ConfigError
        When both ``overwrite`` and ``resume`` are asked for.
    """
    path = Path(path)
    if overwrite and resume:
        raise ConfigError(
            "--overwrite and --resume together", "one of them", "--resume goes on where a run was stopped"
        )
    _check_inputs(path, [Path(item) for item in inputs])
    partial = unfinished(path)
    there = path.exists() or path.is_symlink()
    if there and overwrite and path.is_dir() and not _is_store(path):
        raise ProductError(
            f"{path} is a folder that is no Zarr store, so it is not overwritten",
            "a new path, or an earlier product",
            "Remove the folder yourself, or choose another --out",
        )
    if not (overwrite or resume):
        if partial is not None:
            raise ProductError(
                f"{path} is the incomplete output of an earlier run ({partial[0]} of {partial[1]} tiles)",
                "a new path",
                "Use --resume to complete it or --overwrite to begin anew",
            )
        if there:
            raise ProductError(f"{path} exists", "a new path", "Use --overwrite to replace it, or another --out")
    if resume and there and partial is None and not path.with_name(f"{path.name}.partial.json").exists():
        raise ProductError(
            f"{path} is complete, or no product of hsgeo: there is nothing to resume",
            "the incomplete output of an earlier run",
            "Use --overwrite to replace it, or another --out",
        )
    _check_parent(path)


def _check_inputs(path: Path, inputs: list[Path]) -> None:
    target = path.resolve()
    for given in inputs:
        source = given.resolve()
        if target == source:
            raise ProductError(f"the output {path} is the input", "another path", "Choose another --out")
        if target.is_relative_to(source):
            raise ProductError(
                f"the output {path} lies inside the input {given}",
                "a path outside the input",
                "Choose another --out",
            )
        if source.is_relative_to(target):
            raise ProductError(
                f"the input {given} lies inside the output {path}, which would replace it",
                "a path that does not hold the input",
                "Choose another --out",
            )


def _check_parent(path: Path) -> None:
    parent = path.parent
    if not parent.exists():
        raise ProductError(
            f"the folder {parent} does not exist", "an existing folder", f"Make it first: mkdir -p {parent}"
        )
    if not parent.is_dir():
        raise ProductError(f"{parent} is a file, not a folder", "an existing folder", "Choose another --out")
    try:
        with tempfile.TemporaryFile(dir=parent):  # permission bits say little on network and read-only file systems
            pass
    except OSError as error:
        raise ProductError(
            f"{parent} cannot be written to: {error.strerror or error}", "a writable folder", "Choose another --out"
        ) from error


def _is_store(path: Path) -> bool:
    return any((path / name).exists() for name in (".zgroup", "zarr.json")) or not any(path.iterdir())
