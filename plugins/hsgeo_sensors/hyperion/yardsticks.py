"""A Hyperion strip of full size, and its bands as rasterio reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, raster_window
from hsgeo_sensors.hyperion.reader import CALIBRATED

__all__ = ["YARDSTICKS"]


def _write(folder: Path, shape: tuple[int, int]) -> Path:
    from hsgeo_sensors.hyperion.writer import write_hyperion

    blocks = ground(len(CALIBRATED), shape, swath=True, bright=50.0)
    return write_hyperion(folder / "product", blocks, shape=shape, band=sorted(CALIBRATED))


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    bands = sorted(path.rglob("*_B???_L1T.TIF"))
    return raster_window([p for p in bands if int(p.name.split("_")[-2][1:]) in CALIBRATED], rows, cols)


YARDSTICKS = {"Hyperion L1T": Yardstick((3400, 1030), _write, _plain)}
