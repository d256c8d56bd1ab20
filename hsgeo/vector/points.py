"""Read a table of points: CSV with a class and either coordinates (x, y) or pixels (row, col)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["CLASS_COLUMNS", "read_points"]

CLASS_COLUMNS = ("class", "name", "label")
"""Columns and fields that name a class, in this order, where nobody says which."""


def read_points(path: Path, *, field: str | None = None) -> tuple[list[str], np.ndarray, bool]:
    """Read points with a class each.

    Parameters
    ----------
    path : pathlib.Path
        UTF-8, separated by commas or semicolons, one line of column names; in any case and order: a column of classes,
        and ``x, y`` in the reference system of the scene or ``row, col`` from 0.
    field : str, optional
        Column of the class; None: the first of ``class``, ``name``, ``label`` that there is.

    Returns
    -------
    names : list of str
        Class of each point; empty: none.
    places : numpy.ndarray
        ``(points, 2)`` float64: x and y, or row and column.
    on_grid : bool
        Whether the places are rows and columns.

    Raises
    ------
    ConfigError
        It cannot be read, has no such columns, or a number is none.
    """
    accepted = "a CSV with the columns name,x,y or name,row,col"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", accepted) from error
    lines = [line for line in text.splitlines() if line.strip()]
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    rows = list(csv.reader(lines, delimiter=separator))
    heads = [head.strip().casefold() for head in rows[0]] if rows else []
    wanted = (field.strip().casefold(),) if field else CLASS_COLUMNS
    column = next((heads.index(name) for name in wanted if name in heads), None)
    pair = next(([heads.index(a), heads.index(b)] for a, b in (("row", "col"), ("x", "y")) if {a, b} <= {*heads}), None)
    if column is None or pair is None or len(rows) < 2:
        held = f"has the columns {', '.join(heads)}" if heads else "is empty"
        raise ConfigError(f"{path} {held} and {max(len(rows) - 1, 0)} points", accepted, "Correct its first line")
    names, places = [], []
    for number, row in enumerate(rows[1:], 2):
        try:
            places.append([float(row[place]) for place in pair])
            names.append(row[column].strip())
        except (ValueError, IndexError) as error:
            raise ConfigError(f"line {number} of {path} is {separator.join(row)!r}", accepted, "Correct it") from error
    return names, np.array(places), heads[pair[0]] == "row"
