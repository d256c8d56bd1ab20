"""A small whole file of every format, and ways to damage any of them: for the tests of what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import Affine

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import open_scene

SHAPE = (23, 31)
BANDS = 26
WAVELENGTH = np.r_[np.linspace(430, 920, 14), np.linspace(1010, 1320, 6), np.linspace(1480, 1760, 6)]
DETECTOR = np.where(WAVELENGTH < 1000, "vnir", "swir")
ON_BANDS = {"wavelength": WAVELENGTH, "fwhm": np.full(BANDS, 9.5)}
PLACE = {"crs": "EPSG:32632", "transform": Affine(30, 0, 600000, 0, -30, 5200000)}

PRISMA = "PRS_L2D_STD_20240506101112_20240506101116_0001.he5"
EMIT = "EMIT_L2A_RFL_001_20230422T195924_2311213_002.nc"
TANAGER = "20250516_164837_16_4001_ortho_sr_hdf5.h5"
NEON = "NEON_D01_BART_DP1_20190825_145110_reflectance.h5"
HYPERION = "EO1H1930292013213110KF"


def cube(value: float | None = None) -> np.ndarray:
    """Noise, which no compression can shorten away: damage in the middle of a file always hits pixels."""
    noise = np.random.default_rng(5).uniform(0.05, 0.6, (BANDS, *SHAPE))
    return (noise if value is None else np.full_like(noise, value)).astype(np.float32)


def prisma(folder: Path, values: np.ndarray, suffix: str = "") -> Path:
    from hsgeo_sensors.prisma.writer import write_prisma

    name = PRISMA if not suffix else PRISMA.replace(".he5", suffix)
    return write_prisma(folder / name, values, **ON_BANDS, detector=DETECTOR)


def emit(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.emit.writer import write_emit

    return write_emit(folder, values, **ON_BANDS, good=np.ones(BANDS, bool))


def tanager(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.tanager.writer import write_tanager

    return write_tanager(folder / TANAGER, values, **ON_BANDS)


def neon(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.neon.writer import write_neon

    return write_neon(folder / NEON, values, **ON_BANDS)


def enmap(folder: Path, values: np.ndarray, name: str = "ENMAP") -> Path:
    from hsgeo_sensors.enmap.writer import write_enmap

    return write_enmap(folder / name, values, **ON_BANDS, detector=DETECTOR, block=16)


def desis(folder: Path, values: np.ndarray, name: str = "DESIS") -> Path:
    from hsgeo_sensors.desis.writer import write_desis

    return write_desis(folder / name, values, **ON_BANDS)


def hyperion(folder: Path, values: np.ndarray, name: str = HYPERION) -> Path:
    from hsgeo_sensors.hyperion.writer import USED, write_hyperion

    return write_hyperion(folder / name, 100 * values[np.arange(len(USED)) % BANDS])


def aviris(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.aviris.writer import write_aviris

    return write_aviris(folder / "ang20220224t210144_rfl_v2aa1_img", values, **ON_BANDS, **PLACE)


def aviris_netcdf(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf

    return write_aviris_netcdf(folder / "AV520250508t173511_000_L2A_OE_1_RFL_ORT.nc", values, **ON_BANDS, **PLACE)


def envi(folder: Path, values: np.ndarray, **how: object) -> Path:
    from hsgeo_sensors.envi.writer import write_envi

    return write_envi(folder / "scene.img", values, **ON_BANDS, **PLACE, **how)


def geotiff(folder: Path, values: np.ndarray) -> Path:
    from hsgeo_sensors.geotiff.writer import write_geotiff

    return write_geotiff(folder / "scene.tif", values, **ON_BANDS, **PLACE, block=16)


def cf(folder: Path, values: np.ndarray, suffix: str = ".nc") -> Path:
    from hsgeo_sensors.cf.writer import write_cf

    return write_cf(folder / f"scene{suffix}", values, **ON_BANDS, chunks=(9, 8, 7))


def mat(folder: Path, values: np.ndarray, version: str = "5") -> Path:
    from hsgeo_sensors.arrays.writer import write_mat

    return write_mat(folder / "cube.mat", values, wavelength=WAVELENGTH, version=version, dtype="f4")


def npz(folder: Path, values: np.ndarray, compress: bool = False) -> Path:
    from hsgeo_sensors.arrays.writer import write_npz

    return write_npz(folder / "cube.npz", values, wavelength=WAVELENGTH, compress=compress, dtype="f4")


def native(folder: Path, values: np.ndarray, suffix: str = ".zarr") -> Path:
    from hsgeo_sensors.native.writer import write_native

    scene = open_scene(envi(folder, values), chunks=None).load()
    for part in folder.glob("scene.img*"):
        part.unlink()
    return write_native(scene, folder / f"scene{suffix}", chunk=8)


FORMATS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "PRISMA": prisma,
    "EMIT": emit,
    "Tanager": tanager,
    "NEON": neon,
    "EnMAP": enmap,
    "DESIS": desis,
    "Hyperion": hyperion,
    "AVIRIS": aviris,
    "AVIRIS netCDF": aviris_netcdf,
    "ENVI": envi,
    "ENVI packed": lambda folder, values: envi(folder, values, compress=True),
    "GeoTIFF": geotiff,
    "CF netCDF": cf,
    "CF Zarr": lambda folder, values: cf(folder, values, ".zarr"),
    "mat 5": mat,
    "mat 7.3": lambda folder, values: mat(folder, values, "7.3"),
    "npz": npz,
    "npz packed": lambda folder, values: npz(folder, values, True),
    "Zarr": native,
    "netCDF": lambda folder, values: native(folder, values, ".nc"),
}


PIXELS = {"EnMAP": "*SPECTRAL_IMAGE*", "DESIS": "*SPECTRAL_IMAGE.tif", "Hyperion": "*_B101_L1T.TIF", "AVIRIS": "*_img"}
"""Files that hold the pixels, where that is not the largest."""


def pixels(path: Path, name: str) -> Path:
    """Return the file that holds the pixels, or one of them."""
    if path.is_file():
        return path
    found = [file for file in sorted(path.rglob(PIXELS.get(name, "*"))) if file.is_file()]
    return max(found, key=lambda file: file.stat().st_size)


def duplicate(path: Path, folder: Path) -> Path:
    """Copy a file or folder with all that lies beside it."""
    shutil.copytree(path.parent, folder / "in")
    return folder / "in" / path.name


def listing(folder: Path) -> dict[str, int]:
    """Return what is in a folder, with sizes."""
    return {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}


def _read(path: Path) -> None:
    for variable in open_scene(path, chunks=None).variables.values():
        variable.to_numpy()


def assert_refused(path: Path, words: str | None = None) -> str:
    """Open and read it: one error of ours, in one line of three parts, that names the file, and nothing is written."""
    before = listing(path.parent)
    with pytest.raises((SceneError, ConfigError), match=words) as caught:
        _read(path)
    error, said = caught.value, str(caught.value)
    assert all((error.found, error.accepted, error.do)), said
    assert said.count("Accepted: ") == 1, said
    assert "\n" not in said, said
    assert path.name in said or any(Path(name).name in said for name in before), said
    assert listing(path.parent) == before
    return said
