"""AVIRIS flight lines of full size, and their images as rasterio or h5py reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hsgeo.plugin import Yardstick
from hsgeo_sensors.common.yardstick import ground, hdf5_window, raster_window, spread

__all__ = ["YARDSTICKS"]

_UTM = 32611


def _bands(count: int) -> dict[str, np.ndarray]:
    lists = spread(all=(376.9, 2500.1, count))
    return {name: lists[name] for name in ("wavelength", "fwhm")}


def _write_ng(folder: Path, shape: tuple[int, int]) -> Path:
    from affine import Affine

    from hsgeo_sensors.aviris.writer import write_aviris

    return write_aviris(
        folder / "ang20220224t210144_rfl_v2aa1_img",
        ground(425, shape, swath=True),
        shape=shape,
        crs=_UTM,
        transform=Affine.translation(450000, 3780000) * Affine.rotation(-30) * Affine.scale(5, -5),
        **_bands(425),
    )


def _write_classic(folder: Path, shape: tuple[int, int]) -> Path:
    from affine import Affine

    from hsgeo_sensors.aviris.writer import classic_bands, write_aviris

    wavelength, fwhm = classic_bands()
    return write_aviris(
        folder / "f130508t01p00r08rdn_e_sc01_ort_img",
        ground(len(wavelength), shape, swath=True, bright=5.0),
        wavelength=wavelength,
        fwhm=fwhm,
        flavour="classic-radiance",
        shape=shape,
        crs=_UTM,
        transform=Affine.translation(450000, 3780000) * Affine.scale(16, -16),
    )


def _write_ortho(folder: Path, shape: tuple[int, int]) -> Path:
    from affine import Affine

    from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf

    return write_aviris_netcdf(
        folder / "AV320250508t173511_000_L2A_OE_f9b3b7e7_RFL_ORT.nc",
        ground(284, shape, swath=True),
        shape=shape,
        crs=_UTM,
        transform=Affine.translation(450000, 3780000) * Affine.scale(4, -4),
        **_bands(284),
    )


def _plain_envi(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return raster_window([path], rows, cols)


def _plain_ortho(path: Path, rows: slice, cols: slice) -> list[np.ndarray]:
    return hdf5_window(path, {"reflectance/reflectance": (slice(None), rows, cols)})


YARDSTICKS = {
    "AVIRIS Classic radiance": Yardstick((4000, 1000), _write_classic, _plain_envi),
    "AVIRIS-NG reflectance": Yardstick((4000, 900), _write_ng, _plain_envi),
    "AVIRIS-3 L2A": Yardstick((1900, 1500), _write_ortho, _plain_ortho),
}
