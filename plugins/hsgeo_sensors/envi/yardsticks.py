"""An ENVI image as large as a satellite's granule, and its window as rasterio reads it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, raster_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(400.0, 2450.0, 224))


def _write(folder: Path, shape: tuple[int, int], *, interleave: str) -> Path:
    from hsgeo_sensors.envi.writer import write_envi

    cube = np.concatenate(list(ground(224, shape)), axis=1)
    return write_envi(folder / "scene.img", cube, wavelength=_BANDS["wavelength"], interleave=interleave)


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return raster_window([path], rows, cols)


YARDSTICKS = {
    f"ENVI int16 {kind}": Yardstick((1000, 1010), partial(_write, interleave=kind), _plain)
    for kind in ("bsq", "bil", "bip")
}
