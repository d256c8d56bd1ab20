"""What a worker does: keep kernels, fill one tile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hsgeo.errors import TileError
from hsgeo.plugin.protocols import Kernel
from hsgeo.plugin.quality import Quality
from hsgeo.run.plan import Plan
from hsgeo.run.threads import pinned
from hsgeo.stages.apply import Raster, apply_chain, fill_value, make_kernels
from hsgeo.stages.bands import BEST_SNR
from hsgeo.stages.source import Source
from hsgeo.tiles.grid import Box

__all__ = ["UNMODELLED", "kernels_of", "run_tile"]

UNMODELLED = 20.0  # times the noise level: the model error of good fits on real scenes is about 10 (docs/conventions)
_KEPT = 4  # plans whose kernels stay loaded in a process: a few products at a time, not a day's archive

_lock = threading.Lock()


@dataclass
class _Loaded:
    """Kernels of one plan, and how many tiles are using them."""

    kernels: tuple[Kernel | None, ...]
    users: int = 0


_cache: OrderedDict[str, _Loaded] = OrderedDict()


@contextmanager
def kernels_of(plan: Plan) -> Iterator[tuple[Kernel | None, ...]]:
    """Lend the kernels of a plan, made once per process whatever the number of threads.

    Parameters
    ----------
    plan : Plan
        Whose stages.

    Yields
    ------
    tuple of Kernel or None
        One per step; not closed while lent.
    """
    with _lock:
        if plan.token not in _cache:
            _cache[plan.token] = _Loaded(make_kernels(plan.steps))
        loaded = _cache[plan.token]
        loaded.users += 1
        _cache.move_to_end(plan.token)
        idle = [token for token, entry in _cache.items() if entry.users == 0]
        for token in idle[: max(0, len(_cache) - _KEPT)]:
            for kernel in _cache.pop(token).kernels:
                if kernel is not None:
                    kernel.close()
    try:
        yield loaded.kernels
    finally:
        with _lock:
            loaded.users -= 1


def run_tile(plan: Plan, source: Source, box: Box, origin: Box) -> dict[str, np.ndarray]:
    """Fill one tile.

    Parameters
    ----------
    plan : Plan
        What to do.
    source : Source
        Pixels of ``origin``: the whole scene, or what the tile's windows touch.
    box : Box
        The tile.
    origin : Box
        Where ``source`` lies in the scene.

    Returns
    -------
    dict of str to numpy.ndarray
        Every tile variable of the product, ``(..., y, x)``.
    """

    def read(wanted: Box) -> tuple[np.ndarray, np.ndarray | None]:
        y, x = wanted.within(origin)
        return source.read(Box(y.start, y.stop, x.start, x.stop))

    try:
        with pinned(), kernels_of(plan) as kernels:
            rasters, bits = apply_chain(plan.steps, kernels, read, box, plan.frame)
    except TileError:
        if plan.on_tile_error != "mask":
            raise
        return _failed(plan, box)
    return _finish(plan, rasters, bits)


def _failed(plan: Plan, box: Box) -> dict[str, np.ndarray]:
    out = {}
    for name, spec in plan.specs.items():
        lead = tuple(len(plan.coords[dim]) for dim in spec.dims[:-2])
        out[name] = np.full((*lead, box.height, box.width), fill_value(spec.dtype), spec.dtype)
    out["quality"][:] = Quality.FAILED
    return out


def _finish(plan: Plan, rasters: dict[str, Raster], bits: np.ndarray) -> dict[str, np.ndarray]:
    """Add rmse and quality, and give every pixel without a result "no value" in every variable."""
    spectra, abundance = rasters["spectra"].values, rasters["abundance"].values
    excluded = (bits & np.uint16(Quality.NODATA | Quality.MASKED)) != 0
    failed = ~excluded & ~np.isfinite(abundance).all(axis=0)
    bits = bits.copy()
    bits[failed] |= np.uint16(Quality.FAILED)
    if "model" in rasters:  # a stage that chooses among models says -1 where none will do
        none = rasters["model"].values < 0
        bits[failed & none.reshape(-1, *failed.shape).all(axis=0)] |= np.uint16(Quality.UNMODELLED)
    rmse = _rmse(plan, rasters, spectra)
    limit = UNMODELLED * max(plan.noise_level, plan.signal_level / BEST_SNR)
    with np.errstate(invalid="ignore"):
        bits[(rmse > limit) & ~excluded & ~failed] |= np.uint16(Quality.UNMODELLED)
    blank = excluded | failed
    out: dict[str, Any] = {}
    for name, spec in plan.specs.items():
        if name == "quality":
            out[name] = bits
            continue
        values = (rmse if name == "rmse" else rasters[name].values).astype(spec.dtype, copy=True)
        values[..., blank] = fill_value(spec.dtype)
        out[name] = values
    return out


def _rmse(plan: Plan, rasters: dict[str, Raster], spectra: np.ndarray) -> np.ndarray:
    """Take rmse from the step that wrote the last abundances, or compute it (science.md D, re_rmse per pixel)."""
    last = next(p for p in reversed(plan.steps) if "abundance" in p.specs)
    if "rmse" in last.specs:
        return rasters["rmse"].values
    E = plan.scene_vars.get("endmembers")
    names = tuple(plan.coords["endmember"])
    if E is None or tuple(str(n) for n in E["endmember"].values) != names:
        return np.full(spectra.shape[1:], np.nan, np.float32)
    abundance = rasters["abundance"].values.astype(np.float64)
    total, count = np.zeros(spectra.shape[1:]), np.zeros(spectra.shape[1:])
    for band, column in zip(spectra, E.values.T.astype(np.float64), strict=True):  # in order: same bits in any tile
        residual = band.astype(np.float64)
        for share, value in zip(abundance, column, strict=True):
            residual = residual - share * value
        finite = np.isfinite(residual)
        total[finite] += residual[finite] ** 2
        count += finite
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(total / count).astype(np.float32)
