"""A NEON flight line of full size, and its cube as h5py reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(383.9, 2512.2, 426))
_SITE = "BART"


def _write(folder: Path, shape: tuple[int, int]) -> Path:
    from hsgeo_sensors.neon.writer import write_neon

    lists = {name: _BANDS[name] for name in ("wavelength", "fwhm")}
    blocks = ground(len(_BANDS["wavelength"]), shape, swath=True)
    return write_neon(
        folder / f"NEON_D01_{_SITE}_DP1_20190823_143310_reflectance.h5", blocks, shape=shape, site=_SITE, **lists
    )


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return hdf5_window(path, {f"{_SITE}/Reflectance/Reflectance_Data": (rows, cols, slice(None))})


YARDSTICKS = {"NEON flight line": Yardstick((3000, 900), _write, _plain)}
