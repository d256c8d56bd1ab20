"""Tanager: known values at known pixels, the grid and the swath, the quality bits, what is refused."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.tanager import reader as tanager
from hsgeo_sensors.tanager.grid import parse_odl
from hsgeo_sensors.tanager.reader import TanagerReader
from hsgeo_sensors.tanager.writer import GEOMETRY, LINE, STD, TILT, write_tanager
from rasterio.warp import transform as warp

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, open_scene

SHAPE = (61, 47, 53)  # bands, rows, columns: no two alike, each beyond one chunk
WAVELENGTH = np.linspace(376.44, 2499.03, SHAPE[0])
BANDS = {"wavelength": WAVELENGTH, "fwhm": np.linspace(5.3, 6.9, SHAPE[0])}
ORIGIN = (570300.0, 3555450.0)
GRID = "HDFEOS/GRIDS/HYP"
SWATH = "HDFEOS/SWATHS/HYP"
NAME = "20250516_164837_16_4001_{}_hdf5.h5"
STRUCTURE = "HDFEOS INFORMATION/StructMetadata.0"


@pytest.fixture(scope="module")
def truth():
    """Reflectance with a slanted edge, a missing value, and a negative one; each number differs."""
    band, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    values = (0.02 + band / 160 + y / 497 + x / 211).astype(np.float32)
    values[:, y[0] + 3 * x[0] < 20] = np.nan
    values[7, 30, 40] = np.nan
    values[8, 30, 41] = -0.004
    return values


@pytest.fixture(scope="module")
def masks():
    cloud, cirrus = np.zeros(SHAPE[1:], bool), np.zeros(SHAPE[1:], bool)
    cloud[:12, 20:25], cirrus[10:14, 24] = True, True
    return {"cloud": cloud, "cirrus": cirrus}


@pytest.fixture(scope="module")
def ortho(truth, masks, tmp_path_factory):
    return write_tanager(tmp_path_factory.mktemp("t") / NAME.format("ortho_sr"), truth, **BANDS, **masks)


@pytest.fixture(scope="module")
def basic(truth, masks, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / NAME.format("basic_radiance")
    return write_tanager(path, truth, **BANDS, **masks, layout="basic", quantity="radiance")


@pytest.fixture
def copy(ortho, tmp_path):
    return shutil.copy(ortho, tmp_path / ortho.name)


@pytest.fixture
def swath(basic, tmp_path):
    return shutil.copy(basic, tmp_path / basic.name)


def assert_true(scene, truth):
    """Hold a scene to what was written: numbers at places, and places of numbers."""
    used = scene.good.values
    found = scene.spectra.values
    assert found.shape == SHAPE
    assert np.array_equal(found[used], truth[used], equal_nan=True)
    assert (scene.x.values[40], scene.y.values[11]) == (ORIGIN[0] + 30 * 40.5, ORIGIN[1] - 30 * 11.5)
    place = {"x": ORIGIN[0] + 30 * 40.5, "y": ORIGIN[1] - 30 * 11.5}
    assert np.array_equal(scene.spectra.sel(place).values[used], truth[used, 11, 40])
    assert scene.sel(wavelength=WAVELENGTH[9]).spectra.values[33, 50] == truth[9, 33, 50]
    assert tuple(scene.rio.transform())[:6] == (30, 0, ORIGIN[0], 0, -30, ORIGIN[1])
    assert scene.rio.crs.to_epsg() == 32613


def test_values_bands_and_grid(ortho, truth):
    scene = open_scene(ortho)
    check_scene(scene)
    assert_true(scene, truth)
    assert_true(xr.open_dataset(ortho, engine="hsgeo"), truth)
    assert np.allclose(scene.fwhm, BANDS["fwhm"])
    wet = ((WAVELENGTH > 1342) & (WAVELENGTH < 1438)) | ((WAVELENGTH > 1782) & (WAVELENGTH < 1968))
    assert 5 < wet.sum() < 12
    assert (scene.good.values == ~wet).all()
    bad = scene.spectra.values[wet][:, 30:, 20:]
    assert 0.6 < (bad == np.float32(-0.01)).mean() < 0.9  # no range test would find these
    assert np.isfinite(bad).all()
    assert scene.spectra.attrs["quantity"] == "reflectance"
    assert scene.attrs["processing_level"] == "ortho_sr"
    assert scene.attrs["product_id"] == ortho.stem


def _transposed(window, rows, cols):
    whole = window((0, SHAPE[1]), (0, SHAPE[2]))
    turned = np.resize(whole.transpose(0, 2, 1), whole.shape)
    return turned[:, slice(*rows), slice(*cols)]


def _flipped(window, rows, cols):
    return window((SHAPE[1] - rows[1], SHAPE[1] - rows[0]), cols)[:, ::-1]


def _mirrored(window, rows, cols):
    return window(rows, (SHAPE[2] - cols[1], SHAPE[2] - cols[0]))[:, :, ::-1]


def test_all_fill_opens_and_is_nodata(truth, tmp_path):
    path = write_tanager(tmp_path / NAME.format("ortho_sr"), np.full(SHAPE, np.nan, np.float32), **BANDS)
    scene = open_scene(path)
    assert (scene.quality == Quality.NODATA).all()
    assert np.isnan(scene.spectra).all()
    assert "sun_zenith" not in scene.coords


@pytest.mark.parametrize("plant", [_transposed, _flipped, _mirrored])
def test_wrong_axes_would_be_found(plant, ortho, truth, monkeypatch):
    real = tanager.Cube.window
    monkeypatch.setattr(
        tanager.Cube, "window", lambda self, b, rows, cols: plant(lambda r, c: real(self, b, r, c), rows, cols)
    )
    with pytest.raises(AssertionError):
        assert_true(open_scene(ortho), truth)


def test_half_a_pixel_would_be_found(ortho, truth, monkeypatch):
    real = tanager.map_grid

    def shifted(*args, **kwargs):
        crs, transform = real(*args, **kwargs)
        return crs, transform * transform.translation(0.5, 0.5)

    monkeypatch.setattr(tanager, "map_grid", shifted)
    with pytest.raises(AssertionError):
        assert_true(open_scene(ortho), truth)


def test_uncertainty(ortho, truth, tmp_path):
    std = open_scene(ortho).spectra_std
    want = (STD[0] + STD[1] * np.abs(truth)).astype(np.float32)
    assert np.array_equal(std.values, want, equal_nan=True)
    path = write_tanager(
        tmp_path / NAME.format("ortho_sr"), truth, **BANDS, uncertainty=False, water="column_water_vapor"
    )
    assert "spectra_std" not in open_scene(path)


def test_quality(ortho, truth, masks):
    quality = open_scene(ortho).quality
    void = np.isnan(truth).all(axis=0)
    want = np.where(void, Quality.NODATA, masks["cloud"] * Quality.CLOUD + masks["cirrus"] * Quality.CIRRUS)
    assert void.sum() > 50
    assert (masks["cloud"] & masks["cirrus"]).any()
    assert quality.dtype == np.uint16
    assert np.array_equal(quality.values, want)
    assert np.array_equal(quality[5:40, 3:20].values, want[5:40, 3:20])


def test_without_masks_the_fill_value_tells(copy, truth):
    with h5py.File(copy, "r+") as file:
        for name in ("nodata_pixels", "beta_cloud_mask", "beta_cirrus_mask"):
            del file[f"{GRID}/Data Fields/{name}"]
    scene = open_scene(copy)
    assert np.array_equal(scene.quality.values, np.isnan(truth).all(axis=0) * 1)
    assert scene.attrs["quality_source"] == "fill values"


def test_angles_and_time(ortho, copy, swath):
    scene = open_scene(ortho)
    for mine, theirs in (("sun_zenith", "sun_zenith"), ("view_azimuth", "sensor_azimuth")):
        first, step = GEOMETRY[theirs]
        assert scene[mine].item() == pytest.approx(first + step * 23, abs=1e-4)
    assert str(scene.time.values).startswith("2025-05-16T16:48:37.250")
    with h5py.File(copy, "r+") as file:  # a hole in the middle: the middle one of those that are there
        fields = file[f"{GRID}/Data Fields"]
        fields["nodata_pixels"][23, 26] = 1
        fields["time"][...] = -9999
    scene = open_scene(copy)
    assert scene["sun_zenith"].item() == pytest.approx(GEOMETRY["sun_zenith"][0] + 23 * 0.001, abs=0.002)
    assert str(scene.time.values).startswith("2025-05-16T16:48:37.000")
    assert str(open_scene(swath).time.values).startswith("2025-05-16T16:48:37.250")
    assert LINE * SHAPE[1] < 1  # one day at both ends


def test_basic_radiance(basic, truth):
    scene = open_scene(basic)
    check_scene(scene)
    assert scene.spectra.attrs["quantity"] == "radiance"
    assert scene.spectra.attrs["units"] == "W m-2 sr-1 um-1"
    assert np.array_equal(scene.spectra.values, truth, equal_nan=True)
    assert "spectra_std" not in scene
    assert scene.rio.crs is None
    sine, cosine = np.sin(np.radians(TILT)), np.cos(np.radians(TILT))
    u, v = 17.5, 40.5  # centre of row 40, column 17
    east, north = ORIGIN[0] + 30 * (u * cosine - v * sine), ORIGIN[1] - 30 * (u * sine + v * cosine)
    (lon,), (lat,) = warp("EPSG:32613", "EPSG:4326", [east], [north])
    assert scene.lat.values[40, 17] == pytest.approx(lat, abs=1e-9)
    assert scene.lon.values[40, 17] == pytest.approx(lon, abs=1e-9)
    framing = json.loads(scene.attrs["planet_ortho_framing"])
    assert framing["epsg_code"] == 32613
    assert framing["geotransform"][1::4] == [30.0, -30.0]


def test_score(ortho, copy, tmp_path):
    reader = TanagerReader()
    assert reader.score(ortho) == 2
    other = shutil.copy(copy, tmp_path / "renamed.h5")
    assert reader.score(other) == 2
    with h5py.File(tmp_path / "any.h5", "w") as file:
        file["x"] = 1
    assert reader.score(tmp_path / "any.h5") == 0
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(copy, options={"overlap": "both"})


def test_threads(ortho, truth):
    scene = open_scene(ortho)
    used = scene.good.values
    rng = np.random.default_rng(5)
    corners = np.stack([rng.integers(0, SHAPE[1] - 9, 200), rng.integers(0, SHAPE[2] - 9, 200)], axis=1)

    def read(corner):
        y, x = (slice(int(n), int(n) + 9) for n in corner)
        return scene.spectra[:, y, x].values[used], truth[used, y, x]

    with ThreadPoolExecutor(8) as pool:
        for found, want in pool.map(read, corners):
            assert np.array_equal(found, want, equal_nan=True)


def _edit(old, new):
    def change(file):
        text = file[STRUCTURE][()].decode()
        assert old in text
        del file[STRUCTURE]
        file[STRUCTURE] = np.bytes_(text.replace(old, new))

    return change


def _delete(name):
    def change(file):
        del file[name]

    return change


def _packed(file):
    file[f"{GRID}/Data Fields/surface_reflectance"].attrs["add_offset"] = 0.5


def _forget(key, where=f"{GRID}/Data Fields/surface_reflectance"):
    def change(file):
        del file[where].attrs[key]

    return change


def _replace(name, make):
    def change(file):
        field = file[f"{GRID}/Data Fields/{name}"]
        values, attrs = make(field[()]), dict(field.attrs)
        del file[field.name]
        made = file.create_dataset(f"{GRID}/Data Fields/{name}", data=values)
        for key, value in attrs.items():
            made.attrs[key] = value

    return change


def _also_radiance(file):
    file[f"{GRID}/Data Fields/toa_radiance"] = file[f"{GRID}/Data Fields/surface_reflectance"]


def _micrometres(file):
    attrs = file[f"{GRID}/Data Fields/surface_reflectance"].attrs
    attrs["wavelengths"] = attrs["wavelengths"] / 1000


SR = "surface_reflectance"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_packed, "scale_factor 1 and add_offset 0.5"),
        (_also_radiance, "surface_reflectance and toa_radiance"),
        (lambda file: file.create_group(SWATH), "both a basic and an ortho"),
        (_forget("good_wavelengths"), "good_wavelengths"),
        (_micrometres, "nanometres"),
        (_replace(SR, lambda v: v.astype(np.int16)), "int16"),
        (_replace(SR, lambda v: v.transpose(1, 2, 0)), "bands, rows, columns"),
        (_replace(SR, lambda v: v.transpose(0, 2, 1)), "for a cube of shape"),
        (_delete(STRUCTURE), "StructMetadata"),
        (_edit("YDim=47", "YDim=46"), "grid of 46 x 53"),
        (_edit("(571890.00,", "(571905.00,"), "square pixels"),
        (_edit("ZoneCode=13", "ZoneCode=14"), "UTM zone 14"),
        (_edit("HE5_HDFE_GD_UL", "HE5_HDFE_GD_LL"), "north to south"),
        (_edit("END_GROUP=GRID_1", "END_GROUP=GRID_2"), "not open"),
        (_edit("(570300.00,3555450.00)", "(nan,3555450.00)"), "cannot be read"),
        (_edit('GridName="HYP"', 'GridName="OTHER"'), "no grid HYP"),
    ],
)
def test_broken_files_are_one_clear_error(damage, words, copy):
    with h5py.File(copy, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)


def test_corners_that_are_centres(copy, truth):
    with h5py.File(copy, "r+") as file:
        _edit("(570300.00,3555450.00)", "(570315.00,3555435.00)")(file)
        _edit("(571890.00,3554040.00)", "(571875.00,3554055.00)")(file)
    assert_true(open_scene(copy), truth)


def _no_latitude(file):
    del file[f"{SWATH}/Geolocation Fields/Latitude"]


def _swapped(file):
    group = file[f"{SWATH}/Geolocation Fields"]
    group.move("Latitude", "x")
    group.move("Longitude", "Latitude")
    group.move("x", "Longitude")


def _bad_framing(file):
    file[f"{SWATH}/Geolocation Fields"].attrs["Planet_Ortho_Framing"] = '{"epsg_code": 32613'


@pytest.mark.parametrize(
    ("damage", "words"), [(_no_latitude, "Latitude"), (_swapped, "Latitude of -104"), (_bad_framing, "Framing")]
)
def test_broken_swaths_are_one_clear_error(damage, words, swath):
    with h5py.File(swath, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(swath)


@pytest.mark.parametrize(
    ("text", "words"),
    [("GROUP=a\n" * 20, "deep"), ("GROUP=a\n", "never closes"), ("x" * (1 << 21), "characters")],
)
def test_hostile_structure_blocks(text, words):
    with pytest.raises(SceneError, match=words):
        parse_odl(text, name="f.h5")


def test_blocks_write_the_same_file(ortho, truth, masks, tmp_path):
    blocks = (truth[:, row : row + 42] for row in range(0, SHAPE[1], 42))
    again = write_tanager(tmp_path / "blocks.h5", blocks, **BANDS, **masks, shape=SHAPE[1:])
    with h5py.File(ortho) as a, h5py.File(again) as b:
        fields = a[f"{GRID}/Data Fields"]
        assert fields[SR].chunks == (14, 42, 49)
        for name in fields:
            assert np.array_equal(fields[name][()], b[f"{GRID}/Data Fields/{name}"][()])
    with pytest.raises(ConfigError, match="rows"):
        write_tanager(tmp_path / "short.h5", iter([truth[:, :5]]), **BANDS, shape=SHAPE[1:])


def test_synthesize(ortho, truth, tmp_path):
    again = TanagerReader.synthesize(tmp_path / ortho.name, open_scene(ortho).load())
    assert_true(open_scene(again), truth)
