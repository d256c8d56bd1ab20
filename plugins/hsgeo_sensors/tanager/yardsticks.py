"""Tanager scenes of full size, and their cubes as h5py reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(376.4, 2499.1, 426))


def _write(folder: Path, shape: tuple[int, int], *, layout: str) -> Path:
    from hsgeo_sensors.tanager.writer import write_tanager

    blocks = ground(len(_BANDS["wavelength"]), shape, swath=layout == "ortho")
    lists = {name: _BANDS[name] for name in ("wavelength", "fwhm")}
    return write_tanager(
        folder / f"20250516_192157_48_4001_{layout}_sr_hdf5.h5", blocks, layout=layout, shape=shape, **lists
    )


def _plain(path: Path, rows: slice, cols: slice, *, group: str) -> list[np.ndarray]:
    return hdf5_window(path, {f"HDFEOS/{group}/HYP/Data Fields/surface_reflectance": (slice(None), rows, cols)})


YARDSTICKS = {
    "Tanager basic": Yardstick((700, 607), partial(_write, layout="basic"), partial(_plain, group="SWATHS")),
    "Tanager ortho": Yardstick((1000, 1050), partial(_write, layout="ortho"), partial(_plain, group="GRIDS")),
}
