"""PRISMA granules of full size, and their cubes as h5py reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread
from hsgeo_sensors.prisma.levels import LEVELS

__all__ = ["YARDSTICKS"]

_BANDS = spread(vnir=(406.0, 972.0, 63), swir=(943.0, 2497.0, 171))


def _write(folder: Path, shape: tuple[int, int], *, level: str) -> Path:
    from hsgeo_sensors.prisma.swath_writer import write_prisma_swath
    from hsgeo_sensors.prisma.writer import write_prisma

    path = folder / f"PRS_L{level}_STD_20210621101214_20210621101218_0001.he5"
    count = len(_BANDS["wavelength"])
    if LEVELS[level].mapped:
        return write_prisma(path, ground(count, shape, swath=True), shape=shape, **_BANDS)
    bright = 0.3 if LEVELS[level].quantity == "reflectance" else 30.0
    return write_prisma_swath(path, ground(count, shape, bright=bright), shape=shape, level=level, **_BANDS)


def _plain(path: Path, rows: slice, cols: slice, *, level: str) -> list[np.ndarray]:
    # on the sensor grid the samples come first, the lines last
    box = (rows, slice(None), cols) if LEVELS[level].mapped else (cols, slice(None), rows)
    return hdf5_window(path, {f"{LEVELS[level].fields}/{name}_Cube": box for name in ("VNIR", "SWIR")})


YARDSTICKS = {
    f"PRISMA L{level}": Yardstick(shape, partial(_write, level=level), partial(_plain, level=level))
    for level, shape in {"1": (1000, 1000), "2B": (1000, 1000), "2C": (1000, 1000), "2D": (1231, 1293)}.items()
}
