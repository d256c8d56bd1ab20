"""AVIRIS radiance in netCDF-4 on the sensor grid: positions, the lookup table, and what contradicts itself."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf, write_aviris_swath
from rasterio.transform import Affine
from rasterio.warp import transform as warp

from hsgeo import api
from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import open_scene
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

SWATH = "AV520250508t173511_000_L1B_RDN_1032338f_RDN.nc"
LINE = Affine.translation(412000.0, 4120000.0) @ Affine.rotation(29) @ Affine.scale(15.3, -15.3)


@pytest.fixture(scope="module")
def cube():
    return known_cube()


@pytest.fixture(scope="module")
def made(cube, tmp_path_factory):
    path = tmp_path_factory.mktemp("aviris") / SWATH
    return write_aviris_swath(path, cube, **BANDS, sensor_grid=LINE, cell=7.0, chunk=8)


@pytest.fixture
def swath(made, tmp_path):
    return shutil.copy(made, tmp_path / SWATH)


def test_angles_of_the_observation_file_on_the_sensor_grid(swath, tmp_path):
    with h5py.File(tmp_path / "AV520250508t173511_000_L1B_ORT_5a5a5a5a_OBS.nc", "w") as file:
        group = file.create_group("observation_parameters")
        for name, value in (("to_sun_zenith", 29.9), ("to_sun_azimuth", 128.5), ("to_sensor_zenith", 3.5)):
            layer = np.full((17, 11), -9999.0, np.float32)
            layer[8, 5] = value
            group[name] = layer
        group["slope"] = np.full((17, 11), 90.0, np.float32)
    scene = open_scene(swath)
    assert float(scene.sun_zenith) == pytest.approx(29.9, abs=1e-5)
    assert float(scene.sun_azimuth) == pytest.approx(128.5)
    assert float(scene.view_zenith) == pytest.approx(3.5)
    assert "OBS.nc" in scene.attrs["angles_source"]


def assert_swath(scene, values):
    """Each pixel has its position, and each cell of the lookup table finds the pixel that lies there."""
    assert_values(scene, values)
    x, y, lat, lon = (scene[name].values for name in ("glt_x", "glt_y", "lat", "lon"))
    (west,), (north,) = warp("EPSG:4326", "EPSG:32612", [lon[0, 0]], [lat[0, 0]])
    assert np.allclose((west, north), LINE * (0.5, 0.5), rtol=0, atol=0.01)
    (east,), (south,) = warp("EPSG:4326", "EPSG:32612", [lon[16, 3]], [lat[16, 3]])
    assert np.allclose((east, south), LINE * (3.5, 16.5), rtol=0, atol=0.01)
    c, a, _, f, _, e = (float(part) for part in scene.glt_x.attrs["GeoTransform"].split())
    rows, columns = np.nonzero((x != 0) & (y != 0))
    assert len(rows) > 500
    found_e, found_n = warp(
        "EPSG:4326", "EPSG:32612", *(v[np.abs(y) - 1, np.abs(x) - 1][rows, columns] for v in (lon, lat))
    )
    off = np.hypot(np.array(found_e) - c - a * (columns + 0.5), np.array(found_n) - f - e * (rows + 0.5))
    assert off.max() < 15.3 * 0.75  # half the diagonal of a pixel


def test_sensor_grid(swath, cube):
    scene = open_scene(swath)
    assert_swath(scene, cube)
    assert "spatial_ref" not in scene.coords
    assert scene.spectra.attrs["quantity"] == "radiance"
    assert scene.spectra.attrs["units"] == "uW cm-2 nm-1 sr-1"
    assert (scene.glt_x.values < 0).any()  # a filled neighbour stays told apart
    assert scene.glt_x.dtype == np.int32
    assert scene.attrs["processing_level"] == "L1B"


def test_abundances_go_where_the_lookup_table_says(tmp_path):
    A = np.random.default_rng(4).dirichlet(np.full(3, 0.4), 17 * 11)
    E = np.stack([0.2 + 0.3 * np.sin(WAVELENGTH / 400 + k * 2) ** 2 for k in range(3)], axis=1)
    path = write_aviris_swath(tmp_path / SWATH, (A @ E.T).T.reshape(26, 17, 11), **BANDS, sensor_grid=LINE, cell=14.0)
    library = xr.Dataset(
        {"spectra": (("spectrum", "band"), E.T.astype(np.float32))},
        {"name": ("spectrum", list("abc")), "wavelength": ("band", WAVELENGTH), "fwhm": ("band", FWHM)},
    )
    with pytest.raises(SceneError, match="holds radiance"):
        api.unmix(open_scene(path), recipe="classical", endmembers=library)
    scene = open_scene(path, options={"quantity": "reflectance"})
    product = api.unmix(scene, recipe="classical", endmembers=library, notice=lambda text: None)
    api.write(api.georeference(product), tmp_path / "abund.tif")
    with rasterio.open(tmp_path / "abund.tif") as cog:
        found = cog.read()
        assert cog.crs.to_epsg() == 32612
        back = ~LINE @ cog.transform  # from cells to pixels
    places = np.array(
        [back * (column + 0.5, row + 0.5) for row in range(found.shape[1]) for column in range(found.shape[2])]
    )
    inside = ((places > 0) & (places < (11, 17))).all(axis=1)
    assert np.array_equal(np.isfinite(found[0]).ravel(), inside)
    x, y = np.floor(places[inside]).astype(int).T
    assert np.abs(found.reshape(3, -1)[:, inside].T - A[y * 11 + x]).max() < 1e-3


def test_fill_of_the_lookup_table_is_no_neighbour(swath, cube):
    with h5py.File(swath, "r+") as file:
        for name in ("sample", "line"):
            data = file["geolocation_lookup_table"][name]
            values = data[:]
            values[values == 0] = -9999
            data[:] = values
            data.attrs["_FillValue"] = np.int32(-9999)
    assert_swath(open_scene(swath), cube)


@pytest.mark.parametrize("flaw", ["swapped", "flipped"])
def test_a_wrong_lookup_table_is_refused(flaw, cube, tmp_path):
    path = write_aviris_swath(tmp_path / SWATH, cube, **BANDS, sensor_grid=LINE, cell=7.0, flaw=flaw)
    with pytest.raises(SceneError, match="lookup table"):
        open_scene(path)


@pytest.mark.parametrize(
    ("gone", "placed"),
    [
        (("geolocation_lookup_table",), {"lat", "lon"}),
        (("geolocation_lookup_table", "transverse_mercator"), {"lat", "lon"}),
        (("lat", "lon"), {"glt_x", "glt_y"}),
        (("geolocation_lookup_table", "lat", "lon"), set()),  # the map projection left in it places nothing
        (("geolocation_lookup_table", "lat", "lon", "transverse_mercator"), set()),
        (("geolocation_lookup_table", "lat"), set()),
    ],
)
def test_swaths_that_lost_their_place(gone, placed, swath, cube):
    with h5py.File(swath, "r+") as file:
        dropped(*gone)(file)
    if placed:
        scene = open_scene(swath)
    else:
        with pytest.warns(HsgeoWarning, match=r"does not say where its pixels lie.*(no lat and lon|only lon)"):
            scene = open_scene(swath)
        with pytest.warns(HsgeoWarning, match="where its pixels lie"):
            said = api.describe(swath)
        assert "nothing says where" in said["grid"]
        assert said["also"]["georeferencing"].startswith("none")
        with pytest.raises(SceneError, match="nothing says where the pixels lie"):
            api.georeference(scene)
    assert_values(scene, cube)
    assert scene.coords.keys() & {"lat", "lon", "glt_x", "glt_y", "spatial_ref"} == placed
    assert ("no lat and lon" in scene.attrs["georeferencing"]) == ("glt_x" in placed)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (dropped("geolocation_lookup_table/line"), "lacks geolocation_lookup_table/line"),
        (dropped("transverse_mercator"), "map projection"),
        (lambda file: file.__setitem__("lat", file.pop("lat")[:5]), "lat of shape"),
    ],
)
def test_broken_swaths(damage, words, swath):
    with h5py.File(swath, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(swath)


def test_dimensions_without_numbers_beside_the_table(swath, cube):
    with h5py.File(swath, "r+") as file:
        rows, columns = file["geolocation_lookup_table/sample"].shape
        for name, size in (("northing", rows), ("easting", columns)):
            file[name] = np.zeros(size)
            only_dimension(file, name)
    scene = open_scene(swath)
    assert_swath(scene, cube)
    assert "pixel centres" in scene.attrs["georeferencing"]  # those of the group were found
    with h5py.File(swath, "r+") as file:
        del file["transverse_mercator"].attrs["GeoTransform"]
    assert_swath(open_scene(swath), cube)
    with h5py.File(swath, "r+") as file:
        dropped("geolocation_lookup_table/northing", "geolocation_lookup_table/easting")(file)
    with pytest.raises(SceneError, match="neither a GeoTransform nor easting and northing"):
        open_scene(swath)


def test_threads(swath, cube, tmp_path):
    ortho = write_aviris_netcdf(tmp_path / ORTHO, cube, **BANDS, transform=UP, chunk=8)
    rng = np.random.default_rng(1)
    scenes = [open_scene(path, chunks=None).spectra for path in (swath, ortho)]

    def read(job):
        k, y, x = job
        window = scenes[k % 2][:, y : y + 5, x : x + 3].values
        return np.array_equal(window, cube[:, y : y + 5, x : x + 3], equal_nan=True)

    jobs = [(k, int(rng.integers(0, 13)), int(rng.integers(0, 9))) for k in range(1600)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, jobs))
