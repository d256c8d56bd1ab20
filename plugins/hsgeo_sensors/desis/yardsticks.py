"""DESIS products of full size, and their images as rasterio reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, raster_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(401.9, 999.5, 235))


def _write(folder: Path, shape: tuple[int, int], *, level: str) -> Path:
    from hsgeo_sensors.desis.writer import write_desis

    blocks = ground(len(_BANDS["wavelength"]), shape, swath=True, bright=0.3 if level == "L2A" else 3.0)
    lists = {name: _BANDS[name] for name in ("wavelength", "fwhm")}
    return write_desis(folder / "product", blocks, shape=shape, level=level, **lists)


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return raster_window(sorted(path.rglob("*SPECTRAL_IMAGE*.tif")), rows, cols)


YARDSTICKS = {
    f"DESIS {level}": Yardstick((1250, 1300), partial(_write, level=level), _plain) for level in ("L1C", "L2A")
}
