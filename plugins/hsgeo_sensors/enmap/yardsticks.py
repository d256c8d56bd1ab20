"""EnMAP products of full size, and their images as rasterio reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, raster_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(vnir=(418.2, 993.3, 91), swir=(902.2, 2445.5, 133))


def _write(folder: Path, shape: tuple[int, int], *, level: str) -> Path:
    from hsgeo_sensors.enmap.writer import write_enmap

    bright = 0.3 if level == "L2A" else 0.03
    blocks = ground(len(_BANDS["wavelength"]), shape, swath=level != "L1B", bright=bright)
    product = write_enmap(folder / "product", blocks, shape=shape, level=level, **_BANDS)
    # the detectors of L1B are not registered: a scene has one of them
    return next(product.rglob("*-SPECTRAL_IMAGE_SWIR.TIF")) if level == "L1B" else product


def _plain(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return raster_window([path] if path.is_file() else list(path.rglob("*-SPECTRAL_IMAGE.TIF")), rows, cols)


YARDSTICKS = {
    f"EnMAP {level}": Yardstick(shape, partial(_write, level=level), _plain)
    for level, shape in {"L1B": (1024, 1000), "L1C": (1190, 1260), "L2A": (1190, 1260)}.items()
}
