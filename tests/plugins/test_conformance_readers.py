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
    from hsgeo_sensors.envi.writer import write_envi

    return write_envi(folder / "scene.img", spectra(), **bands(), **PLACE, **how)


def geotiff(folder: Path) -> Path:
    from hsgeo_sensors.geotiff.writer import write_geotiff

    return write_geotiff(folder / "scene.tif", spectra(), **bands(), **PLACE, block=16)


def native(folder: Path, suffix=".zarr") -> Path:
    from hsgeo_sensors.native.writer import write_native

    return write_native(KNOWN.scene, folder / f"scene{suffix}", chunk=8)


def arrays(folder: Path, **how) -> Path:
    from hsgeo_sensors.arrays.writer import write_mat, write_npz

    values = KNOWN.scene.spectra.values
    if "compress" in how:
        return write_npz(folder / "cube.npz", values, wavelength=bands()["wavelength"], **how)
    return write_mat(folder / "cube.mat", values, wavelength=bands()["wavelength"], **how)


def cf(folder: Path, suffix=".nc") -> Path:
    from hsgeo_sensors.cf.writer import write_cf

    scene = KNOWN.scene
    how = {"dims": ("y", "x", "bands"), "chunks": (9, 8, 7), "crs_wkt": scene.spatial_ref.attrs["crs_wkt"]}
    return write_cf(folder / f"cube{suffix}", spectra(), **bands(), y=scene.y.values, x=scene.x.values, **how)


def prisma(folder: Path, suffix=".he5") -> Path:
    from hsgeo_sensors.prisma.writer import write_prisma

    detector = np.where(KNOWN.scene.wavelength.values < 1000, "vnir", "swir")
    name = "PRS_L2D_STD_20240506101112_20240506101116_0001"
    return write_prisma(folder / f"{name}{suffix}", spectra(), **bands(), detector=detector)


def tanager(folder: Path, **how) -> Path:
    from hsgeo_sensors.tanager.writer import write_tanager

    return write_tanager(folder / "20250516_164837_16_4001_ortho_sr_hdf5.h5", spectra(), **bands(), **how)


def neon(folder: Path) -> Path:
    from hsgeo_sensors.neon.writer import write_neon

    return write_neon(folder / "NEON_D01_BART_DP1_20190825_145110_reflectance.h5", spectra(), **bands())


def emit(folder: Path) -> Path:
    from hsgeo_sensors.emit.writer import write_emit

    return write_emit(folder, spectra(), **bands(), good=np.ones(KNOWN.scene.sizes["band"], bool))


def desis(folder: Path, suffix="") -> Path:
    from hsgeo_sensors.desis.writer import write_desis

    return write_desis(folder / f"DESIS-HSI-L2A{suffix}", spectra(), **bands())


def hyperion(folder: Path, suffix="") -> Path:
    from hsgeo_sensors.hyperion.writer import USED, write_hyperion

    place = KNOWN.scene.wavelength.values.searchsorted(np.linspace(430, 2380, len(USED)))  # stairs are spectra too
    return write_hyperion(folder / f"EO1H1930292013213110KF{suffix}", 100 * spectra()[place.clip(0, 23)])


def enmap(folder: Path, name="product", **how) -> Path:
    from hsgeo_sensors.enmap.writer import write_enmap

    detector = np.where(KNOWN.scene.wavelength.values < 1000, "vnir", "swir")
    path = write_enmap(folder / name, spectra(), **bands(), detector=detector, block=16, **how)
    return path if path.is_file() else next(path.glob("*-METADATA.XML"))


def prisma_swath(folder: Path, level: str, *, companion: bool = False) -> Path:
    from hsgeo_sensors.prisma.swath_writer import write_prisma_swath

    how = {**bands(), "detector": np.where(KNOWN.scene.wavelength.values < 1000, "vnir", "swir")}
    names = {"1": "L1_STD_OFFL", "2C": "L2C_STD"}
    path = {n: folder / f"PRS_{name}_20240506101112_20240506101116_0001.he5" for n, name in names.items()}
    if companion:
        write_prisma_swath(path["1"], spectra(), level="1", **how)
    return write_prisma_swath(path[level], spectra(), level=level, **how)


def aviris(folder: Path, flavour="ng") -> Path:
    from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf, write_aviris_swath
    from hsgeo_sensors.aviris.writer import write_aviris

    turned = Affine.translation(6e5, 4e6) @ Affine.rotation(29) @ Affine.scale(15, -15)
    place = {"crs": "EPSG:32610", "transform": turned}
    if flavour == "netcdf":
        return write_aviris_netcdf(folder / "AV520250508t173511_000_L2A_OE_1_RFL_ORT.nc", spectra(), **bands(), **PLACE)
    if flavour == "swath":
        how = {"crs": place["crs"], "sensor_grid": place["transform"], "cell": 12.0}
        return write_aviris_swath(folder / "AV520250508t173511_000_L1B_RDN_1_RDN.nc", spectra(), **bands(), **how)
    name = "f201013t01p00r10rdn_e_sc01_ort_img" if flavour == "classic-radiance" else "ang20220224t210144_rfl_v2aa1_img"
    return write_aviris(folder / name, spectra(), **bands(), **place, flavour=flavour)


@parametrize_reader_checks("aviris", aviris)
def test_aviris(check):
    check()


@parametrize_reader_checks("aviris", lambda folder: aviris(folder, "classic-radiance"))
def test_aviris_classic(check):
    check()


@parametrize_reader_checks("aviris", lambda folder: aviris(folder, "netcdf"))
def test_aviris_netcdf(check):
    check()


@parametrize_reader_checks("aviris", lambda folder: aviris(folder, "swath"))
def test_aviris_swath(check):
    check()


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


@parametrize_reader_checks("arrays", arrays)
def test_arrays_mat(check):
    check()


@parametrize_reader_checks("arrays", lambda folder: arrays(folder, version="7.3"))
def test_arrays_mat_73(check):
    check()


@parametrize_reader_checks("arrays", lambda folder: arrays(folder, compress=False), options={"bands_axis": 2})
def test_arrays_npz(check):
    check()


@parametrize_reader_checks("cf", cf)
def test_cf_netcdf(check):
    check()


@parametrize_reader_checks("cf", lambda folder: cf(folder, ".zarr"))
def test_cf_zarr(check):
    check()


@parametrize_reader_checks("emit", emit)
def test_emit(check):
    check()


@parametrize_reader_checks("prisma", prisma)
def test_prisma(check):
    check()


@parametrize_reader_checks("prisma", lambda folder: prisma(folder, ".zip"))
def test_prisma_zip(check):
    check()


@parametrize_reader_checks("tanager", tanager)
def test_tanager_ortho(check):
    check()


@parametrize_reader_checks("tanager", lambda folder: tanager(folder, layout="basic", quantity="radiance"))
def test_tanager_basic(check):
    check()


@parametrize_reader_checks("neon", neon)
def test_neon(check):
    check()


@parametrize_reader_checks("desis", desis)
def test_desis(check):
    check()


@parametrize_reader_checks("desis", lambda folder: desis(folder, ".tar"))
def test_desis_tar(check):
    check()


@parametrize_reader_checks("hyperion", hyperion)
def test_hyperion(check):
    check()


@parametrize_reader_checks("enmap", enmap)
def test_enmap(check):
    check()


@parametrize_reader_checks("enmap", lambda folder: enmap(folder, "ENMAP01-____L2A-DT0000001867.zip"))
def test_enmap_zip(check):
    check()


@parametrize_reader_checks("enmap", lambda folder: enmap(folder, level="L1B"), options={"detector": "swir"})
def test_enmap_l1b(check):
    check()


@parametrize_reader_checks("prisma", lambda folder: prisma_swath(folder, "1"))
def test_prisma_level_1(check):
    check()


@parametrize_reader_checks("prisma", lambda folder: prisma_swath(folder, "2C", companion=True))
def test_prisma_level_2c(check):
    check()
