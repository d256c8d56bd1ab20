"""Windows on the absolute lattice: which ones a region needs, cutting them out, blending them back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hsgeo.plugin.needs import Window
from hsgeo.tiles.grid import Box

__all__ = ["Blend", "cover", "cut", "grow"]


def _indices(window: Window, start: int, stop: int, extent: int) -> range:
    """Lattice indices of the windows that touch ``[start, stop)`` and have their core in the scene."""
    first = (start + window.margin - window.size) // window.stride + 1
    last = -(-(stop + window.margin) // window.stride) - 1
    return range(max(first, 0), min(last, -(-extent // window.stride) - 1) + 1)


def cover(window: Window, box: Box, height: int, width: int) -> Iterator[Box]:
    """List the windows that touch ``box``, in lattice order; they may reach beyond the scene."""
    for i in _indices(window, box.y0, box.y1, height):
        y = i * window.stride - window.margin
        for j in _indices(window, box.x0, box.x1, width):
            x = j * window.stride - window.margin
            yield Box(y, y + window.size, x, x + window.size)


def grow(window: Window | None, box: Box, height: int, width: int) -> Box:
    """Return the part of the scene that a stage must see to fill ``box``."""
    if window is None:
        return box
    rows, cols = _indices(window, box.y0, box.y1, height), _indices(window, box.x0, box.x1, width)
    margin, size, stride = window.margin, window.size, window.stride
    return Box(
        rows[0] * stride - margin,
        rows[-1] * stride - margin + size,
        cols[0] * stride - margin,
        cols[-1] * stride - margin + size,
    ).clip(height, width)


def cut(array: np.ndarray, outer: Box, window: Box) -> np.ndarray:
    """Cut one window out of ``array (..., y, x)`` that covers ``outer``; NaN (or 0) beyond it."""
    fill = np.nan if np.issubdtype(array.dtype, np.floating) else 0
    out = np.full((*array.shape[:-2], window.height, window.width), fill, array.dtype)
    inside = Box(max(window.y0, outer.y0), min(window.y1, outer.y1), max(window.x0, outer.x0), min(window.x1, outer.x1))
    out[(..., *inside.within(window))] = array[(..., *inside.within(outer))]
    return out


def _taper(window: Window) -> np.ndarray:
    """Return a raised cosine over the overlap of neighbouring windows, positive everywhere."""
    ramp = min(2 * window.margin, window.size // 2)
    weight = np.ones(window.size, np.float32)
    if ramp:
        edge = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / ramp) ** 2
        weight[:ramp] = edge
        weight[-ramp:] = edge[::-1]
    return weight


class Blend:
    """Put windows together to one array over a box, by a partition of unity.

    Every pixel adds up its windows in lattice order and divides by the sum of their weights, so that the
    result does not depend on the box. Integer variables are not blended: the window whose core holds the
    pixel decides.

    Parameters
    ----------
    window : Window
        The lattice.
    box : Box
        What to fill.
    lead : tuple of int
        Shape before ``(y, x)``.
    dtype : str
        Of the variable.
    """

    def __init__(self, window: Window, box: Box, lead: tuple[int, ...], dtype: str) -> None:
        self.box, self.window = box, window
        self.floating = np.issubdtype(np.dtype(dtype), np.floating)
        self.total = np.zeros((*lead, box.height, box.width), dtype)
        self.weight = np.zeros((box.height, box.width), np.float32)
        taper = _taper(window)
        self.taper = np.multiply.outer(taper, taper)

    def add(self, at: Box, values: np.ndarray) -> None:
        """Add the window ``values (..., y, x)`` that lies at ``at``."""
        margin = 0 if self.floating else self.window.margin
        core = Box(at.y0 + margin, at.y1 - margin, at.x0 + margin, at.x1 - margin)
        part = Box(
            max(core.y0, self.box.y0), min(core.y1, self.box.y1), max(core.x0, self.box.x0), min(core.x1, self.box.x1)
        )
        if part.height <= 0 or part.width <= 0:
            return
        source, target = part.within(at), part.within(self.box)
        if self.floating:
            self.total[(..., *target)] += self.taper[source] * values[(..., *source)]
            self.weight[target] += self.taper[source]
        else:
            self.total[(..., *target)] = values[(..., *source)]

    def result(self) -> np.ndarray:
        """Return the blended array ``(..., y, x)``."""
        if self.floating:
            self.total /= self.weight
        return self.total
