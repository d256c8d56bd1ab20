"""A tiled GeoTIFF as large as a satellite's granule, and its window as rasterio reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, raster_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(400.0, 2450.0, 224))


def _write(folder: Path, shape: tuple[int, int]) -> Path:
    from affine import Affine

    from hsgeo_sensors.geotiff.writer import write_geotiff

    cube = np.concatenate(list(ground(224, shape)), axis=1)
    grid = Affine(30, 0, 500000, 0, -30, 4650000)
    wavelength = _BANDS["wavelength"]
    return write_geotiff(folder / "scene.tif", cube, wavelength=wavelength, crs=32632, transform=grid, block=256)


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return raster_window([path], rows, cols)


YARDSTICKS = {"GeoTIFF int16": Yardstick((1000, 1010), _write, _plain)}
