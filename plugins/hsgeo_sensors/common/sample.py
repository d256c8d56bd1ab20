"""What a few windows of a cube tell about its numbers, and whether a fill value stands among them undeclared."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from hsgeo.errors import HsgeoWarning

__all__ = ["Box", "Sample", "find_fill", "windows"]

Box = tuple[tuple[int, int], tuple[int, int]]
Look = Callable[[np.ndarray, tuple[int, int], tuple[int, int]], np.ndarray]

SIDE = 8  # pixels: 9 windows of 8 x 8 x 16 bands are 9,000 numbers, enough for a percentile
SPREAD = 16  # bands: in files stored band by band each costs a seek, or a block to inflate
PICTURE = 4  # bands: a white pixel of a picture has the largest number in all of fewer


def windows(shape: tuple[int, int], grid: int) -> list[Box]:
    """Spread windows evenly over an image.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    grid : int
        Windows along each axis.

    Returns
    -------
    list of tuple
        ``((row0, row1), (col0, col1))`` each.
    """
    sides = []
    for n in shape:
        starts = [max(0, min(n - SIDE, round((k + 0.5) * n / grid) - SIDE // 2)) for k in range(grid)]
        sides.append([(start, min(n, start + SIDE)) for start in starts])
    return [(rows, cols) for rows in sides[0] for cols in sides[1]]


class Sample:
    """Stored numbers of some bands in a few windows; a window is read once.

    Parameters
    ----------
    look : callable
        ``look(bands, (row0, row1), (col0, col1))`` returns stored numbers ``(n, rows, columns)``; bands from 0.
    bands : int
        Of the cube.
    shape : tuple of int
        Its rows and columns.
    usable : numpy.ndarray of bool, shape (band,)
        Bands by which values are judged: in deep absorptions they are wild. None of them: all bands.
    """

    def __init__(self, look: Look, *, bands: int, shape: tuple[int, int], usable: np.ndarray) -> None:
        good = np.flatnonzero(usable) if usable.any() else np.arange(bands)
        spread, judged = _spread(np.arange(bands)), _spread(good)
        self.look, self.bands, self.shape = look, bands, shape
        self.read = np.union1d(spread, judged)
        self.spread, self.judged = np.searchsorted(self.read, spread), np.searchsorted(self.read, judged)
        self._kept: dict[Box, np.ndarray] = {}

    def window(self, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Return stored numbers of the bands in ``read``, ``(n, rows, columns)``."""
        if (rows, cols) not in self._kept:
            self._kept[rows, cols] = self.look(self.read, rows, cols)
        return self._kept[rows, cols]

    def __call__(self, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Return stored numbers of the bands to judge by, ``(n, rows, columns)``."""
        return self.window(rows, cols)[self.judged]


def _spread(bands: np.ndarray) -> np.ndarray:
    return bands[np.unique(np.linspace(0, len(bands) - 1, SPREAD).round().astype(int))]


def find_fill(sample: Sample, *, name: str) -> tuple[float | None, dict[str, str]]:
    """Look for a number that stands for no measurement in a file that declares none.

    Only a number that all bands of a pixel hold is one, and never 0, which may be measured. Corners, the middles of
    the edges and a grid of windows are looked at. A customary one (-9999, -32768; 65535 in uint16; in floats -9999 and
    numbers beyond 1e30) is taken, with a warning. Another one that lies beyond all other numbers, and that no pixel
    holds in some bands only as clipped and saturated ones do, is told in a warning and left.

    Parameters
    ----------
    sample : Sample
        Of the cube.
    name : str
        The file, for messages.

    Returns
    -------
    float or None
        The number to take as fill.
    dict
        Attributes of the scene that say so.
    """
    first: dict[float, tuple[int, int]] = {}
    parts = []
    for rows, cols in dict.fromkeys([*_rim(sample.shape), *windows(sample.shape, 3)]):
        raw = sample.window(rows, cols)[sample.spread]
        parts.append(raw.reshape(len(raw), -1))
        for r, c in np.argwhere((raw == raw[0]).all(axis=0) & (raw[0] != 0) & np.isfinite(raw[0])):
            first.setdefault(float(raw[0, r, c]), (rows[0] + int(r), cols[0] + int(c)))
    numbers = np.concatenate(parts, axis=1)

    def told(number: float) -> str:
        row, col = first[number]
        return (
            f"{name} declares no number as fill, and {number:.10g} stands in all {sample.bands} bands of some pixels, "
            f"such as row {row}, column {col} (from 0)"
        )

    for number in sorted(first):
        if _customary(number, numbers.dtype) and _everywhere(sample, number, first[number]):
            warnings.warn(
                f"{told(number)}: it is read as no measurement. The reader option nodata={number:.10g} confirms this, "
                "another number overrides it.",
                HsgeoWarning,
                stacklevel=2,
            )
            return number, {"quality_source": f"{number:.10g} in all bands, which the file does not declare as fill"}
    for number in _ends(numbers) if sample.bands >= PICTURE else ():
        hit = numbers == number
        void = hit.all(axis=0)
        others = numbers[:, ~void]
        lone = number in first and (hit.any(axis=0) == void).all() and (others != others[:1]).any()
        if lone and _everywhere(sample, number, first[number]):
            warnings.warn(
                f"{told(number)}, beyond all other numbers. If it means that nothing was measured, say so with the "
                f"reader option nodata={number:.10g}: as it is, these pixels are unmixed.",
                HsgeoWarning,
                stacklevel=2,
            )
    return None, {}


def _rim(shape: tuple[int, int]) -> list[Box]:
    """Return windows in the corners and in the middles of the edges: what a turned or cut image leaves empty."""
    sides = []
    for n in shape:
        starts = [0, max(0, (n - SIDE) // 2), max(0, n - SIDE)]
        sides.append([(start, min(n, start + SIDE)) for start in starts])
    return [(sides[0][i], sides[1][j]) for i in range(3) for j in range(3) if (i, j) != (1, 1)]


def _customary(number: float, dtype: np.dtype) -> bool:
    if dtype.kind == "f":
        return number == -9999 or abs(number) >= 1e30
    return number in (-9999, -32768) or (dtype == np.uint16 and number == 65535)


def _everywhere(sample: Sample, number: float, pixel: tuple[int, int]) -> bool:
    """Tell whether really all bands of a pixel hold a number."""
    row, col = pixel
    return bool((sample.look(np.arange(sample.bands), (row, row + 1), (col, col + 1)) == number).all())


def _ends(numbers: np.ndarray) -> tuple[float, ...]:
    finite = numbers[np.isfinite(numbers)]
    return (float(finite.min()), float(finite.max())) if finite.size else ()
