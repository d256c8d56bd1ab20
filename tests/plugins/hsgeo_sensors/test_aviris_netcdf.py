"""AVIRIS in netCDF-4: the map grid of L2A, the sensor grid of L1B with its lookup table, what contradicts itself."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_sensors.aviris import netcdf as aviris_netcdf
from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf, write_aviris_swath
from hsgeo_sensors.aviris.reader import AvirisReader
from rasterio.transform import Affine
from rasterio.warp import transform as warp

from hsgeo import api
from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import check_scene, find_reader, open_scene

UP = Affine(4.9, 0.0, 412003.5, 0.0, -4.9, 4120077.25)
ORTHO = "AV520250508t173511_000_L2A_OE_f9b3b7e7_RFL_ORT.nc"
SWATH = "AV520250508t173511_000_L1B_RDN_1032338f_RDN.nc"
LINE = Affine.translation(412000.0, 4120000.0) @ Affine.rotation(29) @ Affine.scale(15.3, -15.3)
WAVELENGTH, FWHM = np.linspace(381.8, 2499.7, 26), np.linspace(5.57, 5.85, 26)
BANDS = {"wavelength": WAVELENGTH, "fwhm": FWHM, "crs": 32612}


@pytest.fixture(scope="module")
def cube():
    band, y, x = np.meshgrid(np.arange(26), np.arange(17), np.arange(11), indexing="ij")
    values = (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)
    values[:, :3, 0] = np.nan
    values[7, 4, 5] = np.nan
    return values


@pytest.fixture(scope="module")
def made(cube, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aviris")
    write_aviris_netcdf(folder / ORTHO, cube, **BANDS, transform=UP, chunk=8)
    write_aviris_swath(folder / SWATH, cube, **BANDS, sensor_grid=LINE, cell=7.0, chunk=8)
    return folder


@pytest.fixture
def ortho(made, tmp_path):
    return shutil.copy(made / ORTHO, tmp_path / ORTHO)


@pytest.fixture
def swath(made, tmp_path):
    return shutil.copy(made / SWATH, tmp_path / SWATH)


def assert_values(scene, values):
    check_scene(scene)
    assert scene.spectra.shape == (26, 17, 11)
    for band, y, x in ((0, 0, 1), (25, 16, 10), (7, 4, 5), (13, 3, 7), (21, 1, 0)):
        assert np.isclose(scene.spectra.values[band, y, x], values[band, y, x], rtol=0, atol=1e-7, equal_nan=True)


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


def test_angles_of_the_observation_file_on_the_sensor_grid(ortho, swath, tmp_path):
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


def _dropped(*names):
    def drop(file):
        for name in names:
            del file[name]

    return drop


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
        (_dropped("northing", "easting"), None),
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
        _dropped(*gone)(file)
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
        (_dropped("geolocation_lookup_table/line"), "lacks geolocation_lookup_table/line"),
        (_dropped("transverse_mercator"), "map projection"),
        (lambda file: file.__setitem__("lat", file.pop("lat")[:5]), "lat of shape"),
    ],
)
def test_broken_swaths(damage, words, swath):
    with h5py.File(swath, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(swath)


def test_threads(swath, ortho, cube):
    rng = np.random.default_rng(1)
    scenes = [open_scene(path, chunks=None).spectra for path in (swath, ortho)]

    def read(job):
        k, y, x = job
        window = scenes[k % 2][:, y : y + 5, x : x + 3].values
        return np.array_equal(window, cube[:, y : y + 5, x : x + 3], equal_nan=True)

    jobs = [(k, int(rng.integers(0, 13)), int(rng.integers(0, 9))) for k in range(1600)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, jobs))


def test_blocks_write_the_same_file(ortho, cube, tmp_path):
    again = tmp_path / "again.nc"
    parts = (cube[:, row : row + 5] for row in range(0, 17, 5))
    write_aviris_netcdf(again, parts, **BANDS, transform=UP, shape=(17, 11))
    with h5py.File(again) as a, h5py.File(ortho) as b:
        assert np.array_equal(a["reflectance/reflectance"], b["reflectance/reflectance"])
