"""Our own convention: a round trip changes nothing, in any container."""

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_sensors.native import reader as native
from hsgeo_sensors.native.writer import write_native
from hsgeo_sensors.prisma.writer import swath_mask, write_prisma
from rasterio.errors import NotGeoreferencedWarning

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import check_scene, open_scene


@pytest.fixture(scope="module")
def scene(cube, prisma, tmp_path_factory):
    values = cube.copy()
    values[:, ~swath_mask(*cube.shape[1:], 20.0)] = np.nan
    path = tmp_path_factory.mktemp("native") / "PRS_L2D_x.he5"
    write_prisma(path, values, wavelength=prisma.wavelength, fwhm=prisma.fwhm, detector=prisma.detector)
    return open_scene(path, chunks=None).load()


@pytest.mark.parametrize(("name", "form"), [("a.zarr", 2), ("a.zarr", 3), ("a.nc", 2)])
def test_round_trip(name, form, scene, tmp_path):
    path = write_native(scene, tmp_path / name, zarr_format=form, chunk=16)
    again = open_scene(path)
    check_scene(again)
    assert_same(again, scene)
    assert again.spectra.dtype == np.float32
    assert again.quality.dtype == np.uint16
    assert again.sel(wavelength=655.0, method="nearest").wavelength == pytest.approx(650.8, abs=0.01)
    assert again.attrs["product_id"] == scene.attrs["product_id"]


@pytest.mark.parametrize("name", ["a.zarr", "a.nc"])
def test_a_turned_grid_is_no_place_to_gdal_rather_than_a_wrong_one(name, scene, tmp_path):
    turned = scene.copy()
    turned["spatial_ref"] = scene["spatial_ref"].assign_attrs(GeoTransform="500000.0 24.0 18.0 4650000.0 18.0 -24.0")
    turned = turned.assign_coords(y=np.arange(scene.sizes["y"]), x=np.arange(scene.sizes["x"]))
    path = write_native(turned.isel(y=slice(3, None)), tmp_path / name, chunk=16)
    again = open_scene(path)
    assert_same(again, turned.isel(y=slice(3, None)))
    assert int(again["y"][0]) == 3
    if name.endswith("zarr"):
        with (
            pytest.warns(NotGeoreferencedWarning),
            rasterio.open(f'ZARR:"{path}":/spectra') as file,
        ):
            assert file.transform.is_identity


def assert_same(again, scene):
    xr.testing.assert_equal(again.compute(), scene)
    assert again.rio.crs == scene.rio.crs
    assert again.rio.transform() == scene.rio.transform()


@pytest.mark.parametrize("name", ["a.zarr", "a.nc"])
def test_planted_readers_are_caught(name, scene, tmp_path, monkeypatch):
    """A transposed, a flipped and a mirrored reader, and one that takes centres for corners."""
    path = write_native(scene, tmp_path / name, chunk=16)
    kind = native.Zarr if name == "a.zarr" else native.NetCdf
    right = kind.window
    for turn in (lambda v: v.swapaxes(-1, -2), lambda v: np.flip(v, -2), lambda v: np.flip(v, -1)):
        with monkeypatch.context() as patch:
            patch.setattr(kind, "window", lambda *box, turn=turn: np.resize(turn(v := right(*box)), v.shape))
            with pytest.raises(AssertionError):
                assert_same(open_scene(path, chunks=None), scene)
    stored = native._stored

    def beside(*where):
        found = stored(*where)
        return found.assign_coords(x=found["x"] + 15.0, y=found["y"] - 15.0)

    monkeypatch.setattr(native, "_stored", beside)
    with pytest.raises(AssertionError):
        assert_same(open_scene(path), scene)


@pytest.mark.parametrize("locking", [True, False])
def test_a_file_that_a_notebook_has_open(locking, scene, tmp_path):
    path = write_native(scene, tmp_path / "a.nc")
    with h5py.File(path, "r", locking=locking):
        xr.testing.assert_equal(open_scene(path).compute(), scene)


def test_dask_backed_scenes_are_stored_too(scene, tmp_path):
    path = write_native(scene.chunk({"y": 7, "x": 9}), tmp_path / "b.zarr", chunk=16)
    assert np.array_equal(open_scene(path).spectra, scene.spectra, equal_nan=True)
    with pytest.raises(ConfigError, match="exists"):
        write_native(scene, path)
    with pytest.raises(ConfigError, match="suffix"):
        write_native(scene, tmp_path / "b.mat")


def test_a_product_is_no_scene(tmp_path):
    xr.Dataset({"abundance": (("endmember", "y", "x"), np.zeros((2, 3, 4), "f4"))}).to_zarr(
        tmp_path / "p.zarr", zarr_format=2
    )
    with pytest.raises(SceneError, match="a product, not a scene"):
        open_scene(tmp_path / "p.zarr")


def test_a_foreign_store_is_named(tmp_path):
    xr.Dataset({"temperature": (("t", "y", "x"), np.zeros((2, 3, 4), "f4"))}).to_zarr(
        tmp_path / "t.zarr", zarr_format=2
    )
    with pytest.raises(SceneError, match=r"temperature.*standardize"):
        open_scene(tmp_path / "t.zarr")
    bare = xr.Dataset({"spectra": (("band", "y", "x"), np.zeros((2, 3, 4), "f4"))})
    bare.to_netcdf(tmp_path / "bare.nc", engine="h5netcdf")
    with pytest.raises(SceneError, match=r"no wavelength"):
        open_scene(tmp_path / "bare.nc")
