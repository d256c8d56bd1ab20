"""CF files as large as a satellite's granule, and their cubes as h5py or zarr reads them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, spread

__all__ = ["YARDSTICKS"]

_BANDS = spread(all=(400.0, 2450.0, 224))
_CHUNKS = (224, 128, 128)


def _write(folder: Path, shape: tuple[int, int], *, suffix: str) -> Path:
    from hsgeo_sensors.cf.writer import write_cf

    cube = np.concatenate(list(ground(224, shape)), axis=1)
    lists = {name: _BANDS[name] for name in ("wavelength", "fwhm")}
    y, x = (np.arange(size) * 30.0 for size in shape)
    chunks = (_CHUNKS[0], *(min(c, n) for c, n in zip(_CHUNKS[1:], shape, strict=True)))
    return write_cf(folder / f"scene{suffix}", cube, y=-y, x=x, chunks=chunks, **lists)


def _plain_netcdf(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return hdf5_window(path, {"reflectance": (slice(None), rows, cols)})


def _plain_zarr(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    import zarr

    return [np.asarray(zarr.open_group(path, mode="r")["reflectance"][:, rows, cols])]


YARDSTICKS = {
    "CF netCDF": Yardstick((1000, 1010), partial(_write, suffix=".nc"), _plain_netcdf),
    "CF Zarr": Yardstick((1000, 1010), partial(_write, suffix=".zarr"), _plain_zarr),
}
