"""NEON AOP: known values at known pixels, the grid, the quality bits, what is refused."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.neon import reader as neon
from hsgeo_sensors.neon.classes import CLASSES, bit_table
from hsgeo_sensors.neon.reader import NeonReader
from hsgeo_sensors.neon.writer import SUN, VIEW, WET, WINDOWS, write_neon

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, open_scene

SHAPE = (43, 57, 91)  # bands, rows, columns: no two alike, beyond one chunk of 39 columns and 14 bands
WAVELENGTH = np.linspace(383.66, 2511.94, SHAPE[0])
BANDS = {"wavelength": WAVELENGTH, "fwhm": np.linspace(5.7, 6.43, SHAPE[0])}
ORIGIN = (316042.0, 4881077.0)
PLACE = {"origin": ORIGIN, "epsg": 32619}
NAME = "NEON_D01_BART_DP1_20190825_145110_reflectance.h5"
LATE = "NEON_D05_LIRO_DP3_290000_5097000_bidirectional_reflectance.h5"
GROUP = "BART/Reflectance"
CUBE = f"{GROUP}/Reflectance_Data"
IMAGES = f"{GROUP}/Metadata/Ancillary_Imagery"
HALF_STEP = 0.51e-4  # reflectance


@pytest.fixture(scope="module")
def truth():
    """Reflectance with slanted edges, a missing value, and a negative one."""
    band, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    values = (0.02 + band / 90 + y / 497 + x / 2110).astype(np.float32)
    values[:, 2 * x[0] - y[0] < 9] = np.nan
    values[7, 30, 40] = np.nan
    values[8, 30, 41] = -0.0123
    return values


@pytest.fixture(scope="module")
def classes():
    found = np.full(SHAPE[1:], 5, np.uint8)
    found[:, 70:93] = np.arange(21)
    found[40, 60], found[41, 60] = 21, 22
    return found


@pytest.fixture(scope="module")
def line(truth, classes, tmp_path_factory):
    return write_neon(tmp_path_factory.mktemp("n") / NAME, truth, **BANDS, **PLACE, classes=classes)


@pytest.fixture(scope="module")
def tile(truth, classes, tmp_path_factory):
    path = tmp_path_factory.mktemp("n") / LATE
    how = {"revision": "bidirectional", "site": "LIRO", "scale": 20000.0}
    return write_neon(path, truth, **BANDS, **PLACE, classes=classes, **how)


@pytest.fixture
def copy(line, tmp_path):
    return shutil.copy(line, tmp_path / line.name)


def assert_true(scene, truth, *, good_only=False):
    """Hold a scene to what was written: numbers at places, and places of numbers."""
    found = scene.spectra.values
    assert found.shape == SHAPE
    used = scene.good.values if good_only else np.ones(SHAPE[0], bool)
    assert np.array_equal(np.isnan(found[used]), np.isnan(truth[used]))
    assert np.nanmax(np.abs(found - truth)[used]) < HALF_STEP
    assert found[8, 30, 41] == np.float32(-0.0123)
    assert (scene.x.values[70], scene.y.values[11]) == (ORIGIN[0] + 70.5, ORIGIN[1] - 11.5)
    place = {"x": ORIGIN[0] + 70.5, "y": ORIGIN[1] - 11.5}
    assert np.abs(scene.spectra.sel(place).values - truth[:, 11, 70])[used].max() < HALF_STEP
    assert tuple(scene.rio.transform())[:6] == (1, 0, ORIGIN[0], 0, -1, ORIGIN[1])
    assert scene.rio.crs.to_epsg() == 32619


def test_a_flight_line(line, truth):
    scene = open_scene(line)
    check_scene(scene)
    assert_true(scene, truth)
    assert_true(xr.open_dataset(line, engine="hsgeo"), truth)
    assert np.allclose(scene.wavelength, WAVELENGTH)
    assert np.allclose(scene.fwhm, BANDS["fwhm"])
    bad = scene.wavelength.values[~scene.good.values]
    assert len(bad) == 6
    assert all(any(low <= centre <= high for low, high in WINDOWS) for centre in bad)
    assert str(scene.time.values).startswith("2019-08-25T14:51:10")
    assert (scene["sun_zenith"].item(), scene["sun_azimuth"].item()) == SUN
    assert scene["view_zenith"].item() == pytest.approx(VIEW[0] - 0.01 * 45, abs=1e-5)
    assert scene["view_azimuth"].item() == VIEW[1]
    assert scene.attrs["processing_level"] == "DP1 directional reflectance"
    assert (scene.attrs["site"], scene.attrs["weather"]) == ("BART", "Green (less than 10%)")


def test_a_bidirectional_tile(tile, truth):
    scene = open_scene(tile)
    check_scene(scene)
    assert_true(scene, truth, good_only=True)  # another scale, and keys spelt in another way
    wet = scene.spectra.values[~scene.good.values]
    assert (wet[np.isfinite(wet)] == np.float32(WET / 20000)).all()
    assert (scene["sun_zenith"].item(), scene["sun_azimuth"].item()) == SUN  # the middle one of three lines
    assert scene["view_zenith"].item() == pytest.approx(VIEW[0] - 0.01 * 45, abs=1e-5)
    assert "time" not in scene.coords  # a day has no hour
    assert scene.attrs["acquisition_days"] == "2022-06-23"
    assert scene.attrs["processing_level"] == "DP3 bidirectional reflectance"


def _transposed(window, rows, cols):
    whole = window((0, SHAPE[1]), (0, SHAPE[2]))
    turned = np.resize(whole.transpose(0, 2, 1), whole.shape)
    return turned[:, slice(*rows), slice(*cols)]


def _flipped(window, rows, cols):
    return window((SHAPE[1] - rows[1], SHAPE[1] - rows[0]), cols)[:, ::-1]


def _mirrored(window, rows, cols):
    return window(rows, (SHAPE[2] - cols[1], SHAPE[2] - cols[0]))[:, :, ::-1]


@pytest.mark.parametrize("plant", [_transposed, _flipped, _mirrored])
def test_wrong_axes_would_be_found(plant, line, truth, monkeypatch):
    real = neon.Cube.window
    monkeypatch.setattr(
        neon.Cube, "window", lambda self, b, rows, cols: plant(lambda r, c: real(self, b, r, c), rows, cols)
    )
    with pytest.raises(AssertionError):
        assert_true(open_scene(line), truth)


def test_half_a_pixel_would_be_found(line, truth, monkeypatch):
    real = neon.map_grid

    def shifted(*args, **kwargs):
        crs, transform = real(*args, **kwargs)
        return crs, transform * transform.translation(-0.5, -0.5)

    monkeypatch.setattr(neon, "map_grid", shifted)
    with pytest.raises(AssertionError):
        assert_true(open_scene(line), truth)


def test_corners_that_are_centres(truth, tmp_path):
    path = write_neon(tmp_path / NAME, truth, **BANDS, **PLACE, corners="centre")
    assert_true(open_scene(path), truth)


def test_quality(line, truth, classes):
    quality = open_scene(line).quality
    void = np.isnan(truth).all(axis=0)
    names = {15: Quality.CLOUD, 16: Quality.CLOUD, 22: Quality.CLOUD_SHADOW, 7: Quality.SNOW, 6: Quality.SATURATED}
    names |= dict.fromkeys((2, 3, 4, 8, 9, 10, 18, 19), Quality.CIRRUS)
    want = np.vectorize(lambda c: int(names.get(int(c), 0)))(classes)
    want[void] = Quality.NODATA
    assert void.sum() > 100
    assert quality.dtype == np.uint16
    assert np.array_equal(quality.values, want)
    assert np.array_equal(quality[30:45, 50:90].values, want[30:45, 50:90])
    plain = open_scene(line, options={"classes": False})
    assert np.array_equal(plain.quality.values, void * 1)
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(line, options={"overlap": "both"})


def test_class_names_of_the_file_rule(copy):
    with h5py.File(copy, "r+") as file:
        layer = file[f"{IMAGES}/Haze_Cloud_Water_Map"]
        layer[20, 60] = 1
        layer.attrs["Class_Names"] = np.array([b"background", b"cloud", b"water"])
    quality = open_scene(copy).quality.values
    assert quality[20, 60] == Quality.CLOUD
    assert set(np.unique(quality)) == {0, Quality.NODATA, Quality.CLOUD}
    assert bit_table(None)[241] == bit_table(["cloud"] * 256)[241] == 0
    assert bit_table(None)[CLASSES.index("thin haze/glint (water)")] == 0


def test_a_cloud_map_that_is_the_vegetation_map_is_not_used(copy):
    with h5py.File(copy, "r+") as file:
        images = file[IMAGES]
        images["Haze_Cloud_Water_Map"][...] = 2  # "reference vegetation" there, cirrus here
        images["Dark_Dense_Vegetation_Classification"][...] = 2
    scene = open_scene(copy)
    assert "copy of the vegetation map" in scene.attrs["quality_source"]
    assert not (scene.quality.values & Quality.CIRRUS).any()


def test_threads(line, truth):
    scene = open_scene(line)
    rng = np.random.default_rng(5)
    corners = np.stack([rng.integers(0, SHAPE[1] - 9, 200), rng.integers(0, SHAPE[2] - 9, 200)], axis=1)
    whole = scene.spectra.values
    assert np.nanmax(np.abs(whole - truth)) < HALF_STEP

    def read(corner):
        y, x = (slice(int(n), int(n) + 9) for n in corner)
        return scene.spectra[:, y, x].values, whole[:, y, x]

    with ThreadPoolExecutor(8) as pool:
        for found, want in pool.map(read, corners):
            assert np.array_equal(found, want, equal_nan=True)


def test_short_widths_are_not_used(truth, tmp_path):
    short = {"wavelength": WAVELENGTH, "fwhm": BANDS["fwhm"][:-5]}
    path = write_neon(tmp_path / NAME, truth, **short, **PLACE)
    with pytest.warns(HsgeoWarning, match="38 widths for 43 bands"):
        scene = open_scene(path)
    assert np.isnan(scene.fwhm).all()


def test_score(line, tmp_path):
    reader = NeonReader()
    assert reader.score(line) == 2
    assert reader.score(shutil.copy(line, tmp_path / "renamed.h5")) == 2
    with h5py.File(tmp_path / "any.h5", "w") as file:
        file["x"] = 1
    assert reader.score(tmp_path / "any.h5") == 0


def _text(name, old, new):
    def change(file):
        node = file[f"{GROUP}/Metadata/Coordinate_System/{name}"]
        text = node[()].decode()
        assert old in text
        node[()] = text.replace(old, new)

    return change


def _delete(name):
    def change(file):
        del file[name]

    return change


def _forget(key):
    def change(file):
        del file[CUBE].attrs[key]

    return change


def _replace(make):
    def change(file):
        values, attrs = make(file[CUBE][()]), dict(file[CUBE].attrs)
        del file[CUBE]
        made = file.create_dataset(CUBE, data=values)
        for key, value in attrs.items():
            made.attrs[key] = value

    return change


def _zero_scale(file):
    file[CUBE].attrs["Scale_Factor"] = 0.0


def _ignore_beyond_int16(file):
    file[CUBE].attrs["Data_Ignore_Value"] = 65535.0


def _micrometres(file):
    file[f"{GROUP}/Metadata/Spectral_Data/Wavelength"][...] = WAVELENGTH / 1000


def _radiance(file):
    file.move(GROUP, "BART/Radiance")


def _old(file):
    file["Reflectance"] = file[CUBE]
    del file["BART"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_delete("BART"), "no group"),
        (_radiance, "at-sensor radiance"),
        (_old, "2013 to 2015"),
        (lambda file: file.copy("BART", "HARV"), "the sites BART, HARV"),
        (_zero_scale, "Scale_Factor of 0"),
        (_ignore_beyond_int16, "Data_Ignore_Value of 65535 for int16"),
        (_forget("Data_Ignore_Value"), "Data_Ignore_Value"),
        (_delete(f"{GROUP}/Metadata"), "no wavelengths"),
        (_micrometres, "nanometres"),
        (_replace(lambda v: v.astype(np.float32)), "float32"),
        (_replace(lambda v: v.transpose(2, 0, 1)), "line, sample, wavelength"),
        (_replace(lambda v: v.transpose(1, 0, 2)), "91 x 57 pixels.*extent of 57.00 x 91.00"),
        (_delete(f"{GROUP}/Metadata/Coordinate_System/Map_Info"), "Map_Info"),
        (_text("Map_Info", "316042.000", "316042.500"), "begins where Map_Info does"),
        (_text("Map_Info", "UTM,  1.000,", "UTM,  1.500,"), "begins where Map_Info does"),
        (_text("Map_Info", "Meters, 0", "Meters, rotation=12"), "rotated by 12"),
        (_text("Map_Info", "Meters, 0", "Meters, -3.5"), "rotated by -3.5"),
        (_text("Map_Info", "316042.000", "east"), "cannot be read"),
        (_text("EPSG Code", "32619", "32719"), "zone 19 North"),
        (_text("EPSG Code", "32619", "999999"), "known EPSG"),
    ],
)
def test_broken_files_are_one_clear_error(damage, words, copy):
    with h5py.File(copy, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)


def test_all_fill_opens_and_is_nodata(tmp_path):
    path = write_neon(tmp_path / NAME, np.full(SHAPE, np.nan, np.float32), **BANDS, **PLACE)
    scene = open_scene(path)
    assert (scene.quality == Quality.NODATA).all()
    assert np.isnan(scene.spectra).all()
    assert "view_zenith" not in scene.coords


def test_map_info_of_2016_gives_no_rotation(copy, truth):
    with h5py.File(copy, "r+") as file:
        _text("Map_Info", "units=Meters, 0", "units=Meters")(file)
    assert_true(open_scene(copy), truth)


def test_blocks_write_the_same_file(line, truth, classes, tmp_path):
    blocks = (truth[:, row : row + 20] for row in range(0, SHAPE[1], 20))
    again = write_neon(tmp_path / "blocks.h5", blocks, **BANDS, **PLACE, classes=classes, shape=SHAPE[1:])
    with h5py.File(line) as a, h5py.File(again) as b:
        assert a[CUBE].chunks == (57, 39, 14)
        assert (a[f"{IMAGES}/Cast_Shadow"][()] == 241).sum() > 100
        for name in (CUBE, f"{IMAGES}/Haze_Cloud_Water_Map"):
            assert np.array_equal(a[name][()], b[name][()])
    with pytest.raises(ConfigError, match="rows"):
        write_neon(tmp_path / "short.h5", iter([truth[:, :5]]), **BANDS, shape=SHAPE[1:])


def test_synthesize(line, truth, tmp_path):
    again = NeonReader.synthesize(tmp_path / line.name, open_scene(line).load())
    assert_true(open_scene(again), truth)


@pytest.mark.parametrize("name", ["NEONDSImagingSpectrometerData.h5", "NIS1_20130613_142437_atmcor.h5"])
def test_the_first_layout_is_told_under_any_name(name, tmp_path):
    path = tmp_path / name
    with h5py.File(path, "w") as file:
        file["Reflectance"] = np.full((4, 9, 7), 15000, np.int16)
        file["Reflectance"].attrs["Scale Factor"] = [10000.0]
        file["wavelength"] = np.linspace(0.4, 2.5, 4)
        file["map info"] = [b"UTM,1,1,325963.0,4103482.0,1,1,11,North,WGS-84,units=Meters"]
    with pytest.raises(SceneError, match=r"NEON reflectance in the layout of 2013 to 2015.*newer release"):
        open_scene(path)
    with h5py.File(path, "r+") as file:
        del file["map info"]
        file["wavelength"].attrs["units"] = "um"
    assert open_scene(path, options={"scale": 1e-4, "nodata": 15000}).sizes["band"] == 4  # somebody else's
