"""The parts of the measurement that need a process of their own: ``python -m hsgeo.evaluation.readers.child TASK``.

A task is JSON; so is what is printed. Peaks of memory are taken by the parent, of the whole process.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import Yardstick

__all__ = ["yardsticks_of"]

SIDE = 128  # pixels of a tile: what hsgeo works on at least
SMALL, FEW = 32, 16  # pixels and bands of the tiles that threads read at the same time


def yardsticks_of(reader: str, plugins: tuple[str, ...] = ()) -> Mapping[str, Yardstick]:
    """Import what a reader is measured with.

    Parameters
    ----------
    reader : str
        Its name.
    plugins : tuple of str
        One-file plugins.

    Returns
    -------
    mapping of str to Yardstick
        By name of the product; empty when it has none.
    """
    from hsgeo.plugin.registry import registry

    target = registry(tuple(Path(p) for p in plugins)).reader(reader).yardsticks
    if target is None:
        return {}
    module, _, name = target.partition(":")
    found: Mapping[str, Yardstick] = getattr(importlib.import_module(module), name)
    return found


def _write(task: Mapping[str, Any]) -> dict[str, Any]:
    stick = yardsticks_of(task["reader"], tuple(task["plugins"]))[task["product"]]
    began = time.perf_counter()
    path = stick.write(Path(task["folder"]), tuple(task["shape"]))
    return {"path": str(path), "write_s": time.perf_counter() - began}


def _open(task: Mapping[str, Any]) -> dict[str, Any]:
    from hsgeo.scene import open_scene

    began = time.perf_counter()
    scene = open_scene(task["path"])
    return {"open_s": time.perf_counter() - began, "sizes": {str(k): int(v) for k, v in scene.sizes.items()}}


def _tiles(task: Mapping[str, Any]) -> dict[str, Any]:
    """Time windows in turns with the plain way; the shortest of the turns of each window counts."""
    from hsgeo.scene import open_scene

    stick = yardsticks_of(task["reader"], tuple(task["plugins"]))[task["product"]]
    path = Path(task["path"])
    scene = open_scene(path, chunks=None)
    spectra = scene["spectra"]
    sizes = scene.sizes["y"], scene.sizes["x"]
    rng = np.random.default_rng(0)
    ours, plain = [], []
    for _ in range(task["tiles"]):
        rows, cols = (_part(rng, size, SIDE) for size in sizes)
        turns = [
            (_timed(stick.plain, path, rows, cols), _timed(_values, spectra, rows, cols))
            for _ in range(task["repeat"] + 1)
        ][1:]  # the first brings the file into memory
        plain.append(min(a for a, _ in turns))
        ours.append(min(b for _, b in turns))
    ratio = np.array(plain) / np.array(ours)
    return {
        "tile_ms": 1e3 * float(np.median(ours)),
        "plain_ms": 1e3 * float(np.median(plain)),
        "speed": float(np.median(ratio)),
        "speed_worst": float(ratio.min()),
    }


def _threads(task: Mapping[str, Any]) -> dict[str, Any]:
    """Read the same small windows in many threads at once, values and quality, and one after the other."""
    from hsgeo.scene import open_scene

    scene = open_scene(task["path"], chunks=None)
    rng = np.random.default_rng(1)
    sides = {"band": FEW, "y": SMALL, "x": SMALL}
    boxes = [{dim: _part(rng, scene.sizes[dim], side) for dim, side in sides.items()} for _ in range(25)]

    names = [name for name in ("spectra", "quality") if name in scene]

    def read(k: int) -> list[np.ndarray]:
        return [scene[name].isel(boxes[k % len(boxes)], missing_dims="ignore").values for name in names]

    truth = [read(k) for k in range(len(boxes))]
    count = task["threads"] * task["reads"]
    with ThreadPoolExecutor(task["threads"]) as pool:
        same = pool.map(
            lambda k: all(
                np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
                for a, b in zip(read(k), truth[k % len(boxes)], strict=True)
            ),
            range(count),
        )
        wrong = count - sum(same)
    return {"thread_reads": count, "thread_wrong": wrong}


def _part(rng: np.random.Generator, size: int, side: int) -> slice:
    start = int(rng.integers(0, max(1, size - side + 1)))
    return slice(start, min(start + side, size))


def _values(spectra: xr.DataArray, rows: slice, cols: slice) -> np.ndarray:
    return spectra[:, rows, cols].values


def _timed(call: Callable[..., Any], *what: Any) -> float:
    began = time.perf_counter()
    call(*what)
    return time.perf_counter() - began


if __name__ == "__main__":
    what = json.loads(sys.argv[1])
    sys.stdout.write(
        json.dumps({"write": _write, "open": _open, "tiles": _tiles, "threads": _threads}[what["do"]](what))
    )
