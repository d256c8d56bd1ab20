"""Bare arrays as large as a satellite's granule, and their windows as h5py and numpy read them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(400.0, 2450.0, 224))


def _write(folder: Path, shape: tuple[int, int], *, layout: str, compress: bool) -> Path:
    from hsgeo_sensors.arrays.writer import write_mat

    cube = np.concatenate(list(ground(224, shape)), axis=1)
    wavelength = _BANDS["wavelength"]
    return write_mat(folder / "scene.mat", cube, wavelength=wavelength, version="7.3", layout=layout, compress=compress)


def _plain_cube(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return hdf5_window(path, {"Y": (slice(None), cols, rows)})  # as MATLAB stores (row, column, band)


def _plain_flat(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    import h5py

    with h5py.File(path, "r", locking=False) as file:  # pixels by bands; in columns, one below the other
        height = int(file["nRow"][0, 0])
        return [file["Y"][col * height + rows.start : col * height + rows.stop] for col in range(cols.start, cols.stop)]


YARDSTICKS = {
    ".mat 7.3 cube": Yardstick((1000, 1010), partial(_write, layout="y-x-band", compress=True), _plain_cube),
    ".mat 7.3 flat": Yardstick((1000, 1010), partial(_write, layout="band-pixel", compress=False), _plain_flat),
}
