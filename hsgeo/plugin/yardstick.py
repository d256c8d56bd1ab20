"""A full-size file of one product and the plain way to read it, for ``hsgeo benchmark readers``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Yardstick"]


@dataclass(frozen=True)
class Yardstick:
    """One product that a reader reads; its optional classmethod ``yardsticks()`` returns some of them by name.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the scene in a granule of usual size.
    write : callable
        ``write(folder, shape)`` writes such a file, made up, in memory for a few rows, and returns what to open.
    plain : callable
        ``plain(path, rows, cols)`` reads two slices of rows and columns of all stored bands with the library of the
        format (h5py, rasterio) and nothing more; returns the numbers as stored.
    """

    shape: tuple[int, int]
    write: Callable[[Path, tuple[int, int]], Path]
    plain: Callable[[Path, slice, slice], Any]
