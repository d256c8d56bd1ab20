"""EMIT granules that somebody wrote anew: flat, on a map, cut, without a table, with a table of floats."""

import shutil

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.emit.writer import write_emit

from hsgeo.api import georeference
from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import open_scene
from hsgeo.scene.opening import find_reader
from tests.plugins.hsgeo_sensors.emit_case import NAME, ROWS, SWATH, emit_bands, emit_truth


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    return write_emit(tmp_path_factory.mktemp("emit"), emit_truth(), acquisition=SWATH, **emit_bands())


@pytest.fixture
def copy(granule, tmp_path):
    return shutil.copy(granule, tmp_path / NAME)


def flat(granule):
    """All groups at the root, bands by wavelength, as notebooks for this product have it."""
    groups = (None, "location", "sensor_band_parameters")
    root, place, bands = (xr.open_dataset(granule, engine="h5netcdf", group=group) for group in groups)
    made = xr.Dataset(root.variables, {**place.variables, **bands.variables}, root.attrs)
    return made.swap_dims(bands="wavelengths")


def on_map(made):
    """Fill the grid of the lookup table."""
    table = [np.nan_to_num(made[name].values).astype(int) for name in ("glt_x", "glt_y")]
    used = (table[0] > 0) & (table[1] > 0)
    out = np.full((*used.shape, 285), np.nan, "f4")
    out[used] = made.reflectance.values[table[1][used] - 1, table[0][used] - 1]
    left, dx, _, top, _, dy = made.attrs["geotransform"]
    coords = {
        "latitude": top + dy * (np.arange(used.shape[0]) + 0.5),
        "longitude": left + dx * (np.arange(used.shape[1]) + 0.5),
        **{name: made[name] for name in ("wavelengths", "fwhm", "good_wavelengths")},
    }
    made = xr.Dataset({"reflectance": (("latitude", "longitude", "wavelengths"), out)}, coords, made.attrs)
    return made.rio.write_crs(made.attrs["spatial_ref"]), used


@pytest.mark.parametrize("name", [NAME.replace(".nc", "_ortho.nc"), "ortho.nc"])
def test_written_anew_at_the_root(name, granule, tmp_path):
    truth = open_scene(granule)
    swath = flat(granule)
    swath.to_netcdf(tmp_path / name, engine="h5netcdf")
    assert find_reader(tmp_path / name)[0] == "cf"
    found = open_scene(tmp_path / name)
    good = truth.good.values
    assert np.array_equal(found.good, good)
    assert np.array_equal(found.spectra[good], truth.spectra[good], equal_nan=True)
    assert np.array_equal(found.lat, truth.lat)
    assert "spatial_ref" not in found.coords  # the root names that of the table, not of the swath
    ortho, used = on_map(swath)
    ortho.to_netcdf(tmp_path / name, engine="h5netcdf")
    found, wanted = open_scene(tmp_path / name), georeference(truth)
    assert found.rio.crs.to_epsg() == 4326
    assert found.rio.transform().almost_equals(wanted.rio.transform())
    assert np.array_equal(found.spectra.values[good][:, used], wanted.spectra.values[good][:, used], equal_nan=True)


@pytest.mark.parametrize("name", [NAME, "mine.nc"])
@pytest.mark.parametrize("group", ["location", "sensor_band_parameters"])
def test_damaged_granules_stay_ours(name, group, copy):
    path = copy.rename(copy.with_name(name))
    with h5py.File(path, "r+") as file:
        del file[group]
    assert find_reader(path)[0] == "emit"
    with pytest.raises(SceneError, match=f"nothing at {group}/"):
        open_scene(path)


def test_without_a_lookup_table(copy, granule):
    with h5py.File(copy, "r+") as file:
        del file["location/glt_x"], file["location/glt_y"], file.attrs["geotransform"]
    found = open_scene(copy)
    assert "glt_x" not in found.coords
    assert np.array_equal(found.lat, open_scene(granule).lat)
    assert found.attrs["georeferencing"] == "lat and lon of each pixel; no lookup table"


@pytest.mark.parametrize("rows", [slice(5, None), slice(0, ROWS - 4), slice(1, None)])
def test_cut_without_its_table(rows, granule, tmp_path):
    tree = xr.open_datatree(granule, engine="h5netcdf")
    cut = tree.map_over_datasets(lambda d: d.isel(downtrack=rows) if "downtrack" in d.dims else d)
    cut.to_netcdf(tmp_path / NAME, engine="h5netcdf")
    with pytest.warns(HsgeoWarning, match=r"points to row 23.*cut without its table"):
        found = open_scene(tmp_path / NAME)
    whole = open_scene(granule).isel(y=rows)
    assert "glt_x" not in found.coords
    assert np.array_equal(found.spectra, whole.spectra, equal_nan=True)
    assert np.array_equal(found.lat, whole.lat)


def test_table_of_floats(copy, granule):
    with h5py.File(copy, "r+") as file:
        for name in ("location/glt_x", "location/glt_y"):
            values = file[name][:].astype(float)
            values[values == 0] = np.nan
            del file[name]
            file[name] = values
            file[name].attrs["_FillValue"] = np.nan
    found, wanted = open_scene(copy), open_scene(granule)
    for name in ("glt_x", "glt_y"):
        assert found[name].dtype == wanted[name].dtype
        assert np.array_equal(found[name], wanted[name])
