"""Every bundled reader obeys every law, on a file of its faithful synthetic writer."""

from pathlib import Path

import numpy as np
from rasterio.transform import Affine

from hsgeo.testing import known_scene, parametrize_reader_checks

KNOWN = known_scene()
PLACE = {"crs": "EPSG:32632", "transform": Affine(30, 0, 600000, 0, -30, 5200000)}


def bands():
    return {"wavelength": KNOWN.scene.wavelength.values, "fwhm": KNOWN.scene.fwhm.values}


def spectra():
    values = KNOWN.scene.spectra.values.copy()
    values[:, 3, 4] = np.nan
    return values


def envi(folder: Path, **how) -> Path:
    from hsgeo_sensors.envi_writer import write_envi

    return write_envi(folder / "scene.img", spectra(), **bands(), **PLACE, **how)


def geotiff(folder: Path) -> Path:
    from hsgeo_sensors.geotiff_writer import write_geotiff

    return write_geotiff(folder / "scene.tif", spectra(), **bands(), **PLACE, block=16)


def native(folder: Path, suffix=".zarr") -> Path:
    from hsgeo_sensors.native_writer import write_native

    return write_native(KNOWN.scene, folder / f"scene{suffix}", chunk=8)


def prisma(folder: Path, suffix=".he5") -> Path:
    from hsgeo_sensors.prisma_writer import write_prisma

    detector = np.where(KNOWN.scene.wavelength.values < 1000, "vnir", "swir")
    name = "PRS_L2D_STD_20240506101112_20240506101116_0001"
    return write_prisma(folder / f"{name}{suffix}", spectra(), **bands(), detector=detector)


@parametrize_reader_checks("envi", envi)
def test_envi(check):
    check()


@parametrize_reader_checks("envi", lambda folder: envi(folder, interleave="bip", big_endian=True, compress=True))
def test_envi_compressed(check):
    check()


@parametrize_reader_checks("geotiff", geotiff)
def test_geotiff(check):
    check()


@parametrize_reader_checks("native", native)
def test_native_zarr(check):
    check()


@parametrize_reader_checks("native", lambda folder: native(folder, ".nc"))
def test_native_netcdf(check):
    check()


@parametrize_reader_checks("prisma", prisma)
def test_prisma(check):
    check()


@parametrize_reader_checks("prisma", lambda folder: prisma(folder, ".zip"))
def test_prisma_zip(check):
    check()
