"""EMIT granules of full size, and their cubes as h5py reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(381.0, 2492.9, 285))


def _write(folder: Path, shape: tuple[int, int], *, dataset: str) -> Path:
    from hsgeo_sensors.emit.writer import Acquisition, write_emit

    blocks = ground(len(_BANDS["wavelength"]), shape, bright=0.3 if dataset == "reflectance" else 3.0)
    lists = {name: _BANDS[name] for name in ("wavelength", "fwhm")}
    return write_emit(folder, blocks, acquisition=Acquisition(shape=shape), dataset=dataset, **lists)


def _plain(path: Path, rows: slice, cols: slice, *, dataset: str) -> list[np.ndarray]:
    return hdf5_window(path, {dataset: (rows, cols, slice(None))})


YARDSTICKS = {
    f"EMIT {level}": Yardstick((1280, 1242), partial(_write, dataset=name), partial(_plain, dataset=name))
    for level, name in {"L1B": "radiance", "L2A": "reflectance"}.items()
}
