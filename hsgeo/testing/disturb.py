"""How the laws disturb a stage's input, and which pixels may then change."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from hsgeo.stages.context import Fitting
from hsgeo.testing import bench
from hsgeo.testing.case import StageCase

__all__ = ["assert_memory", "changed_outside", "inside", "nan_at", "places", "touched", "unwatched"]

MEMORY_FACTOR, MEMORY_SLACK = 1.5, 1 << 20  # allowed over the estimate: temporaries of a careful author, xarray's own


def places(case: StageCase) -> int:
    """Return the number of pixels, or windows, of the scene."""
    return sum(count for _, count in bench.batches(case.inputs, case.needs))


def inside(case: StageCase) -> tuple[np.ndarray, np.ndarray]:
    """Return masks ``(y, x)``: pixels to leave as they are, and pixels whose result must then stay."""
    height, width = case.layout.height, case.layout.width
    window = case.needs.window
    if window is None:
        board = np.indices((height, width)).sum(0) % 2 == 0
        return board, board
    row, col = height // 2 // window.stride * window.stride, width // 2 // window.stride * window.stride
    keep, compare = np.zeros((height, width), bool), np.zeros((height, width), bool)
    top, left = row - window.margin, col - window.margin
    keep[max(top, 0) : top + window.size, max(left, 0) : left + window.size] = True
    compare[row : row + window.stride, col : col + window.stride] = True
    assert not keep.all(), f"the scene of this law must be larger than the window ({window.size} pixels): give known="
    return keep, compare


def touched(case: StageCase, row: int, col: int) -> np.ndarray:
    """Return the pixels ``(y, x)`` whose windows hold the pixel at (row, col)."""
    touched = np.zeros((case.layout.height, case.layout.width), bool)
    window = case.needs.window
    if window is None:
        touched[row, col] = True
        return touched
    for batch, count in bench.batches(case.inputs, case.needs):
        for r, c in zip(batch.row.values[:count], batch.col.values[:count], strict=True):
            if r <= row < r + window.size and c <= col < c + window.size:
                touched[max(r, 0) : r + window.size, max(c, 0) : c + window.size] = True
    return touched


def changed_outside(inputs: bench.Inputs, keep: np.ndarray) -> bench.Inputs:
    """Return inputs with other values, finite ones, in the pixels ``(y, x)`` that are not to be kept."""
    changed = {}
    for name, array in inputs.tiles.items():
        other = array.copy(deep=True)
        other.values[..., ~keep] = 0.5 * array.values[::-1][..., ~keep] if array.ndim > 2 else 0.5 * array.values[~keep]
        changed[name] = other
    return replace(inputs, tiles=changed)


def nan_at(inputs: bench.Inputs, row: int, col: int) -> bench.Inputs:
    """Return inputs with one pixel that is NaN in everything."""
    changed = {name: array.copy(deep=True) for name, array in inputs.tiles.items()}
    for array in changed.values():
        if array.dtype.kind == "f":
            array.values[..., row, col] = np.nan
    return replace(inputs, tiles=changed)


def unwatched(ctx: Fitting) -> tuple[Fitting, list[int]]:
    """Return a context that hides from `assert_memory` what earlier kernels take in ``again``, and the peaks before."""
    repeat = ctx.repeat
    peaks: list[int] = []
    if repeat is None:
        return ctx, peaks

    def quiet(change: Callable[[np.ndarray, int, int], np.ndarray]) -> xr.Dataset:
        peaks.append(tracemalloc.get_traced_memory()[1])
        try:
            return repeat(change)
        finally:
            tracemalloc.reset_peak()

    return replace(ctx, repeat=quiet), peaks


def assert_memory(what: str, call: Callable[[], xr.Dataset], estimate: int, peaks: Sequence[int] = ()) -> None:
    """Assert that a call's peak memory, its result not counted, stays within the estimate and what is allowed over.

    ``peaks`` has those that the call reached before somebody reset the count.
    """
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        peak = max(tracemalloc.get_traced_memory()[1], *peaks, 0) - before - result.nbytes
    finally:
        tracemalloc.stop()
    most = MEMORY_FACTOR * estimate + MEMORY_SLACK
    assert peak <= most, f"{what} takes {peak} bytes at its peak; its needs say {estimate} (allowed: {most:.0f})"
