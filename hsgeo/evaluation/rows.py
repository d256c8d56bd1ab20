"""Rows of a CSV that grows while a benchmark runs, and survives its being stopped."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError

__all__ = ["append", "read"]

Row = dict[str, Any]


def read(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read what earlier runs left.

    Parameters
    ----------
    path : pathlib.Path
        The CSV; it need not be there. A last line that a stopped run left half-written is passed over.
    columns : sequence of str
        What it must have.

    Returns
    -------
    list of dict
        Rows as text.

    Raises
    ------
    ConfigError
        The file is of something else.
    """
    if not path.exists():
        return []
    try:
        whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a CSV", "Give another --out") from error
    if not whole:
        return []
    table = csv.DictReader(whole.splitlines())
    if tuple(table.fieldnames or ()) != tuple(columns):
        raise ConfigError(
            f"{path} has other columns than this benchmark writes",
            "a CSV of this benchmark and version of hsgeo",
            "Give another --out, or --fresh to begin anew",
        )
    return list(table)


def append(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Add rows at once, so that a stopped benchmark goes on where it was.

    Parameters
    ----------
    path : pathlib.Path
        The CSV; made where missing.
    columns : sequence of str
        Of the CSV.
    rows : iterable of dict
        With these keys; None becomes empty.
    """
    with path.open("a+b") as held:  # what a stopped run left half-written goes
        held.seek(0)
        whole = held.read().rfind(b"\n") + 1
        held.truncate(whole)
    with path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, tuple(columns), lineterminator="\n")
        if not whole:
            table.writeheader()
        for row in rows:
            table.writerow({name: "" if value is None else value for name, value in row.items()})
