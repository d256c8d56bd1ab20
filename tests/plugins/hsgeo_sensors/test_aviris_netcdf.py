"""AVIRIS in netCDF-4 on a map grid: layouts and names of the years, coordinates, what contradicts itself."""

import shutil

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.aviris import netcdf as aviris_netcdf
from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf
from hsgeo_sensors.aviris.reader import AvirisReader
from rasterio.transform import Affine

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import find_reader, open_scene
from tests.plugins.hsgeo_sensors.aviris_netcdf_case import (
    BANDS,
    FWHM,
    ORTHO,
    UP,
    WAVELENGTH,
    assert_values,
    dropped,
    known_cube,
    only_dimension,
)


@pytest.fixture(scope="module")
def cube():
    return known_cube()


@pytest.fixture(scope="module")
def made(cube, tmp_path_factory):
    return write_aviris_netcdf(tmp_path_factory.mktemp("aviris") / ORTHO, cube, **BANDS, transform=UP, chunk=8)


@pytest.fixture
def ortho(made, tmp_path):
    return shutil.copy(made, tmp_path / ORTHO)


def assert_ortho(scene, values):
    assert_values(scene, values)
    assert scene.rio.crs.to_epsg() == 32612
    for place, want in (
        ((scene.x[0], scene.y[0]), (412003.5 + 2.45, 4120077.25 - 2.45)),
        ((scene.x[10], scene.y[16]), (412003.5 + 4.9 * 10.5, 4120077.25 - 4.9 * 16.5)),
        (scene.rio.transform()[:6], UP[:6]),
    ):
        assert np.allclose(place, want, rtol=0, atol=1e-6)


def test_map_grid(ortho, cube):
    scene = open_scene(ortho)
    assert_ortho(scene, cube)
    with xr.open_dataset(ortho, engine="hsgeo", cache=False) as again:
        assert_ortho(again, cube)
    assert np.array_equal(scene.spectra, cube, equal_nan=True)
    assert np.allclose(scene.wavelength, WAVELENGTH, atol=1e-3)
    assert np.allclose(scene.fwhm, FWHM, atol=1e-5)
    assert str(scene.time.values).startswith("2025-05-08T17:35:11")
    assert (scene.attrs["sensor"], scene.attrs["granule"]) == ("AVIRIS-5", "AV520250508t173511_000")


def _read(window):
    def read(self, bands, rows, cols):
        turned = window(KEPT(self, bands, (0, self.shape[1]), (0, self.shape[2])))
        return np.ascontiguousarray(turned[:, slice(*rows), slice(*cols)])

    return read


KEPT = aviris_netcdf.Values.window
PLACED = aviris_netcdf.grid_of


def _shifted(*args, **how):
    grid = PLACED(*args, **how)
    return type(grid)(grid.crs, grid.transform @ Affine.translation(-0.5, -0.5))


LIARS = {
    "transposed": (aviris_netcdf.Values, "window", _read(lambda v: v.reshape(26, 11, 17).transpose(0, 2, 1))),
    "flipped": (aviris_netcdf.Values, "window", _read(lambda v: v[:, ::-1])),
    "half a pixel": (aviris_netcdf, "grid_of", _shifted),
}


@pytest.mark.parametrize("liar", LIARS)
def test_planted_readers_are_caught(liar, ortho, cube, monkeypatch):
    monkeypatch.setattr(*LIARS[liar])
    with pytest.raises(AssertionError):
        assert_ortho(open_scene(ortho), cube)


def test_older_names_and_micrometres(cube, tmp_path):
    path = tmp_path / "ang20191021t151200_rfl_v2y1.nc"
    write_aviris_netcdf(path, cube, **BANDS, transform=UP, names=("Rfl", "wl"), micrometres=True)
    scene = open_scene(path)
    assert_ortho(scene, cube)
    assert np.allclose(scene.wavelength, WAVELENGTH, atol=1e-3)
    assert np.allclose(scene.fwhm, FWHM, atol=1e-3)


def test_wavelength_last(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        group = file["reflectance"]
        turned = group["reflectance"][:].transpose(1, 2, 0)
        about = dict(group["reflectance"].attrs)
        del group["reflectance"]
        group["reflectance"] = turned
        group["reflectance"].attrs["_FillValue"] = about["_FillValue"]
    assert_ortho(open_scene(ortho), cube)


def test_columns_before_rows(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        group = file["reflectance"]
        turned = group["reflectance"][:].transpose(0, 2, 1)
        del group["reflectance"]
        group["reflectance"] = turned
        for axis, scale in enumerate((group["wavelength"], file["easting"], file["northing"])):
            group["reflectance"].dims[axis].attach_scale(scale)
    assert_ortho(open_scene(ortho), cube)  # the names of the dimensions tell


def test_a_file_that_says_what_it_is(ortho, cube, tmp_path):
    renamed = ortho.rename(tmp_path / "scene.nc")
    assert find_reader(renamed)[0] == "aviris"
    scene = open_scene(renamed)
    assert_ortho(scene, cube)
    assert scene.attrs["sensor"] == "AVIRIS-5"
    with h5py.File(renamed, "r+") as file:
        file.attrs["title"] = "anything"
    assert AvirisReader().score(renamed) == 0


def test_uncertainty(ortho, cube, tmp_path):
    how = {**BANDS, "transform": UP, "group": "uncertainty", "names": ("uncertainty", "wavelength")}
    unc = write_aviris_netcdf(tmp_path / ORTHO.replace("RFL", "UNC"), cube / 4, **how)
    scene = open_scene(ortho)
    assert np.array_equal(scene.spectra_std, cube / 4, equal_nan=True)
    with pytest.raises(SceneError, match=r"an uncertainty of AV5.*Open .*RFL_ORT"):
        open_scene(unc)
    write_aviris_netcdf(unc, cube[:25] / 4, **{**how, "wavelength": WAVELENGTH[:25], "fwhm": FWHM[:25]})
    with pytest.raises(SceneError, match=r"25 bands.*uncertainty=none"):
        open_scene(ortho)
    assert "spectra_std" not in open_scene(ortho, options={"uncertainty": "none"})


def test_coordinates_against_the_geotransform(cube, tmp_path):
    path = tmp_path / ORTHO
    write_aviris_netcdf(path, cube, **BANDS, transform=UP, coordinates="shifted")
    with pytest.raises(SceneError, match="do not fit together"):
        open_scene(path)
    write_aviris_netcdf(path, cube, **BANDS, transform=UP, coordinates="corner")
    with pytest.warns(HsgeoWarning, match="half a pixel off"):
        assert_ortho(open_scene(path), cube)


@pytest.mark.parametrize(("side", "words"), [(4.9, "are its pixel centres"), (0.5, "too coarse")])
def test_coordinates_in_single_precision(side, words, cube, tmp_path):
    place = Affine(side, 0.0, 412003.5, 0.0, -side, 4120077.25)
    path = write_aviris_netcdf(tmp_path / ORTHO, cube, **BANDS, transform=place)
    with h5py.File(path, "r+") as file:
        for name in ("easting", "northing"):
            values = file[name][:].astype(np.float32)
            file.move(name, f"old_{name}")
            file[name] = values
    scene = open_scene(path)
    assert words in scene.attrs["georeferencing"]
    assert np.allclose(scene.rio.transform()[:6], place[:6], rtol=0, atol=1e-6)


def test_without_geotransform_the_centres_tell(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        del file["transverse_mercator"].attrs["GeoTransform"]
    assert_ortho(open_scene(ortho), cube)


def test_dimensions_without_numbers(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        for name in ("northing", "easting"):
            only_dimension(file, name, "reflectance/reflectance")
    assert_ortho(open_scene(ortho), cube)
    with h5py.File(ortho, "r+") as file:
        for name in ("lat", "lon"):
            file[name] = np.zeros(9)
            only_dimension(file, name)
        del file["transverse_mercator"].attrs["GeoTransform"]
    with pytest.warns(HsgeoWarning, match="does not say where its pixels lie"):
        scene = open_scene(ortho)
    assert_values(scene, cube)
    assert not scene.coords.keys() & {"lat", "lon", "spatial_ref"}


def test_written_by_hytools(cube, tmp_path):
    """Corrected reflectance: dimensions without coordinates, a grid mapping of another name, text as bytes."""
    path = tmp_path / "AV320230926t201618_005_L2A_OE_main_27577724_RFL_ORT_topo_brdf.nc"
    write_aviris_netcdf(path, cube, **BANDS, transform=UP)
    with h5py.File(path, "r+") as file:
        said = {key: value.encode() for key, value in file["transverse_mercator"].attrs.items()}
        file["projection"] = np.zeros(1, np.uint8)
        file["projection"].attrs.update(said)
        file["reflectance/reflectance"].attrs["grid_mapping"] = b"projection"
        del file["transverse_mercator"], file.attrs["title"]
        for name in ("northing", "easting"):
            only_dimension(file, name, "reflectance/reflectance")
    assert_ortho(open_scene(path), cube)


def test_wavelengths_of_another_name_than_their_dimension(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        only_dimension(file, "reflectance/wavelength", "reflectance/reflectance")
        file["Rfl"], file["wavelength"] = file["reflectance/reflectance"], file["reflectance/wavelength"]
        file["wl"], file["fwhm"] = WAVELENGTH, FWHM
        del file["reflectance"]
    scene = open_scene(ortho)
    assert_ortho(scene, cube)
    assert np.allclose(scene.wavelength, WAVELENGTH)
    with h5py.File(ortho, "r+") as file:
        del file["wl"]
    with pytest.raises(SceneError, match="no wavelengths"):
        open_scene(ortho)
    assert_ortho(open_scene(ortho, options={"wavelengths": tuple(WAVELENGTH)}), cube)


def test_as_many_rows_as_bands(cube, tmp_path):
    square = np.concatenate([cube, cube], axis=1)[:, :26]
    path = write_aviris_netcdf(tmp_path / ORTHO, square, **BANDS, transform=UP)
    with h5py.File(path, "r+") as file:
        group = file["reflectance"]
        del group["reflectance"]
        group["reflectance"] = square.transpose(1, 2, 0)
        for axis, scale in enumerate((file["northing"], file["easting"], group["wavelength"])):
            group["reflectance"].dims[axis].attach_scale(scale)
    assert np.array_equal(open_scene(path).spectra, square, equal_nan=True)  # the names of the dimensions tell


def test_geotransform_as_numbers(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        about = file["transverse_mercator"].attrs
        about["GeoTransform"] = np.array([float(n) for n in about["GeoTransform"].split()])
    assert_ortho(open_scene(ortho), cube)


def test_a_fill_value_that_says_nothing(ortho, cube):
    with h5py.File(ortho, "r+") as file:
        file["reflectance/reflectance"].attrs["_FillValue"] = np.float32(np.nan)
    assert np.array_equal(open_scene(ortho).spectra, cube, equal_nan=True)  # -9999 is no reflectance


def _swapped_coordinates(file):
    east, north = file["easting"][:], file["northing"][:]
    del file["easting"], file["northing"]
    file["easting"], file["northing"] = north, east


def _as(dtype):
    def change(file):
        group = file["reflectance"]
        values = group["reflectance"][:].astype(dtype)
        del group["reflectance"]
        group["reflectance"] = values

    return change


def _two(file):
    file.copy("reflectance", "radiance")
    file.move("radiance/reflectance", "radiance/radiance")


def _no_crs(file):
    file["transverse_mercator"].attrs["crs_wkt"] = "nothing"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (dropped("northing", "easting"), None),
        (_swapped_coordinates, "one northing for each row"),
        (_as("i2"), "int16 without a scale_factor"),
        (_two, "exactly one of reflectance or radiance"),
        (_no_crs, "reference system"),
    ],
)
def test_broken_contents(damage, words, ortho, cube):
    with h5py.File(ortho, "r+") as file:
        damage(file)
    if words is None:
        assert_ortho(open_scene(ortho), cube)  # the GeoTransform is enough
        return
    with pytest.raises(SceneError, match=words):
        open_scene(ortho)


def test_blocks_write_the_same_file(ortho, cube, tmp_path):
    again = tmp_path / "again.nc"
    parts = (cube[:, row : row + 5] for row in range(0, 17, 5))
    write_aviris_netcdf(again, parts, **BANDS, transform=UP, shape=(17, 11))
    with h5py.File(again) as a, h5py.File(ortho) as b:
        assert np.array_equal(a["reflectance/reflectance"], b["reflectance/reflectance"])
