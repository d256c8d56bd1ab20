"""PRISMA on the sensor grid (level 1, 2B, 2C): values, places and flags at known pixels, what is refused."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.prisma.cube import Cube, Granular, Place
from hsgeo_sensors.prisma.levels import Contents
from hsgeo_sensors.prisma.reader import PrismaReader
from hsgeo_sensors.prisma.swath_writer import L1_FACTOR, L1_OFFSET, L2_SCALE, flight, write_prisma_swath

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, open_scene

SIZE = 23, 31  # lines, samples
TIMES = "20210621101214_20210621101218_0001"
NAMES = {"1": f"PRS_L1_STD_OFFL_{TIMES}.he5", "2B": f"PRS_L2B_STD_{TIMES}.he5", "2C": f"PRS_L2C_STD_{TIMES}.he5"}
FACTOR = {"1": 40.0, "2B": 40.0, "2C": 1.0}  # from the reflectance of the cube to something like radiance
STEP = {  # of one count
    "1": 1 / min(L1_FACTOR.values()),
    **{level: max(high - low for low, high in scale.values()) / 65535 for level, scale in L2_SCALE.items()},
}


def planted(cube, level):
    """Fill one pixel, one band of another, and saturate a third."""
    values = cube * np.float32(FACTOR[level])
    values[:, 4, 5] = np.nan
    values[40, 11, 15] = np.nan
    saturated = np.zeros(SIZE, bool)
    saturated[12, 16] = True
    return values, saturated


def write(where, cube, sensor, level, **how):
    bands = {"wavelength": sensor.wavelength, "fwhm": sensor.fwhm, "detector": sensor.detector}
    return write_prisma_swath(where, cube, level=level, **bands, **how)


@pytest.fixture(scope="module")
def paths(cube, prisma, tmp_path_factory):
    made = {}
    for level, name in NAMES.items():
        values, saturated = planted(cube, level)
        folder = tmp_path_factory.mktemp(f"L{level}")  # apart, so that level 1 is nobody's companion
        made[level] = write(folder / name, values, prisma, level, saturated=saturated)
    return made


@pytest.fixture
def copy(paths, tmp_path):
    return lambda level: shutil.copy(paths[level], tmp_path / NAMES[level])


def assert_right(scene, cube, level, prisma):
    """Compare every value and place with what was written."""
    values, saturated = planted(cube, level)
    values[np.ix_(prisma.detector == "swir", *(k.ravel() for k in np.nonzero(saturated)))] = np.nan
    assert dict(scene.sizes) == {"band": 234, "y": SIZE[0], "x": SIZE[1]}
    found = scene.spectra.values
    assert (np.isnan(found) == np.isnan(values)).all()
    assert np.nanmax(np.abs(found - values)) < STEP[level]
    lat, lon = flight(*SIZE)
    assert np.abs(scene.lat.values - lat).max() < 4e-6  # float32 degrees
    assert np.abs(scene.lon.values - lon).max() < 4e-6
    for y, x in ((0, 0), (0, 30), (22, 0), (22, 30)):
        north = 30 * (0.97437 * (11 - y) + 0.22495 * (15 - x))  # metres, flown towards 193 degrees
        assert abs(scene.lat.values[y, x] - (42.0 + north / 111_320)) < 1e-5


@pytest.mark.parametrize("level", NAMES)
def test_values_and_places(level, paths, cube, prisma):
    scene = open_scene(paths[level], options={"overlap": "both"})
    check_scene(scene)
    assert_right(scene, cube, level, prisma)
    with xr.open_dataset(paths[level], engine="hsgeo", options={"overlap": "both"}) as again:
        assert_right(again, cube, level, prisma)
    assert np.allclose(scene.wavelength, prisma.wavelength, atol=1e-4)
    assert np.allclose(scene.fwhm, prisma.fwhm, atol=1e-5)
    assert (scene.detector == prisma.detector).all()
    assert scene.attrs["processing_level"] == f"L{level}"
    assert scene.attrs["product_id"] == NAMES[level].removesuffix(".he5")
    assert str(scene.time.values).startswith("2021-06-21T10:12:14.375")
    assert scene.rio.crs is None
    kind = ("reflectance", "1") if level == "2C" else ("radiance", "W m-2 sr-1 um-1")
    assert (scene.spectra.quantity, scene.spectra.units) == kind


def test_angles_of_the_centre(paths):
    centre = open_scene(paths["2C"])
    assert float(centre.sun_zenith) == pytest.approx(24.0 + 11 / 23, abs=1.5 / 23)  # within a pixel of the middle
    assert float(centre.view_zenith) == pytest.approx(5.0 + 2 * 15 / 31, abs=3 / 31)
    assert float(centre.sun_azimuth) == 141.0
    first = open_scene(paths["1"])  # level 1 knows the sun only
    assert (float(first.sun_zenith), float(first.sun_azimuth)) == (24.5, 141.0)
    assert "view_zenith" not in first.coords


def _mirrored(monkeypatch):
    """Forget that the first sample is stored last."""
    monkeypatch.setattr(Granular, "sides", lambda self, rows, cols: (slice(*cols), slice(*rows)))
    monkeypatch.setattr(Granular, "turn", lambda self, block: np.moveaxis(block, 0, -1))


def _transposed(monkeypatch):
    """Take the file's first axis for the lines."""
    monkeypatch.setattr(Granular, "sides", lambda self, rows, cols: (slice(*rows), slice(*cols)))
    monkeypatch.setattr(Granular, "turn", lambda self, block: block if block.ndim == 2 else block.swapaxes(0, 1))
    monkeypatch.setattr(Contents, "shape", property(lambda self: self.stored))


def _only_the_cube_turned(monkeypatch):
    """Turn pixels and leave their places: the error that loses the georeferencing."""
    right = Place.turn
    monkeypatch.setattr(Place, "turn", lambda self, plane: right(self, plane)[::-1, ::-1])


def _half_a_pixel(monkeypatch):
    """Take pixel corners for pixel centres."""
    right = Place.window

    def shifted(self, bands, rows, cols):
        return right(self, bands, rows, cols) + (15.0 / 111_320)

    monkeypatch.setattr(Place, "window", shifted)


def _count_from_one(monkeypatch):
    """Forget the offset of the scale."""
    right = Cube.__init__

    def init(self, about):
        right(self, about)
        self.scale = tuple((0.0, high) if self.level.name != "1" else (low, 0.0) for low, high in self.scale)

    monkeypatch.setattr(Cube, "__init__", init)


@pytest.mark.parametrize("plant", [_mirrored, _transposed, _only_the_cube_turned, _half_a_pixel, _count_from_one])
@pytest.mark.parametrize("level", ["1", "2C"])
def test_wrong_readers_are_caught(plant, level, paths, cube, prisma, monkeypatch):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        assert_right(open_scene(paths[level], options={"overlap": "both"}), cube, level, prisma)


def test_zero_is_a_radiance_in_level_1_unless_all_are(copy):
    path = copy("1")
    fields = "HDFEOS/SWATHS/PRS_L1_HCO/Data Fields"
    with h5py.File(path, "r+") as file:
        cube = file[f"{fields}/VNIR_Cube"]
        cube[30 - 20, :, 7] = 0  # line 7, sample 20: dark in the whole VNIR, as some water is in the SWIR
        cube[30 - 21, 50, 7] = 0
    scene = open_scene(path, options={"overlap": "both"})
    band = scene.sel(band=51)
    assert band.spectra.values[7, [20, 21]].tolist() == [-L1_OFFSET["vnir"]] * 2
    assert np.isnan(band.spectra.values[4, 5])
    assert np.isnan(scene.spectra.values[:, 4, 5]).all()
    assert np.argwhere(scene.quality.values & Quality.NODATA).tolist() == [[4, 5]]
    part = scene.isel(band=slice(3, 5), y=slice(3, 9), x=slice(4, 25)).spectra  # a few bands say the same as all
    assert np.array_equal(part.values, scene.spectra.values[3:5, 3:9, 4:25], equal_nan=True)
    assert np.isnan(part.values[:, 1, 1]).all()


@pytest.mark.parametrize(
    ("level", "lost", "saturated"),
    [("1", {1, 2, 4}, {2}), ("2B", {1, 3, 4}, {3, 4}), ("2C", {1, 3, 4}, {3, 4})],
)
def test_error_codes(level, lost, saturated, copy):
    path = copy(level)
    err = "PIXEL_SAT_ERR_MATRIX" if level == "1" else "PIXEL_L2_ERR_MATRIX"
    with h5py.File(path, "r+") as file:
        flags = file[f"HDFEOS/SWATHS/PRS_L{level}_HCO/Data Fields/VNIR_{err}"]
        for code in (1, 2, 3, 4):
            flags[30 - code, 30, 9] = code  # line 9, sample = code
    scene = open_scene(path)
    values = scene.sel(band=31).spectra.values[9, :6]
    assert {k for k in range(6) if np.isnan(values[k])} == lost
    quality = scene.quality.values[9, :6]
    assert {k for k in range(6) if quality[k] & Quality.SATURATED} == saturated
    assert scene.quality.values[12, 16] & Quality.SATURATED


def test_masks_of_level_1(cube, prisma, tmp_path):
    clouds, glint, cover = (np.full(SIZE, 10, np.uint8) for _ in range(3))
    clouds[3, 7], clouds[3, 8], clouds[3, 9] = 1, 0, 255
    glint[5, 2], glint[5, 3] = 1, 255
    cover[21, 30], cover[21, 29], cover[20, 30] = 1, 0, 255
    clouds[4, 5] = 1  # a pixel without a measurement
    masks = {"Cloud_Mask": clouds, "SunGlint_Mask": glint, "LandCover_Mask": cover}
    values, _ = planted(cube, "1")
    scene = open_scene(write(tmp_path / NAMES["1"], values, prisma, "1", masks=masks))
    expected = np.zeros(SIZE, np.uint16)
    expected[3, 7], expected[3, 9] = Quality.CLOUD, Quality.INVALID
    expected[5, 2], expected[21, 30], expected[4, 5] = Quality.GLINT, Quality.SNOW, Quality.NODATA
    assert np.array_equal(scene.quality.values, expected)
    assert "Cloud_Mask" in scene.attrs["quality_source"]


def test_threads_read_what_one_reads(paths):
    scene = pickle.loads(pickle.dumps(open_scene(paths["1"], chunks=None)))
    truth, quality = scene.spectra.values, scene.quality.values
    rng = np.random.default_rng(5)
    corners = rng.integers(0, (SIZE[0] - 4, SIZE[1] - 5), (8 * 200, 2))

    def read(corner):
        y, x = (slice(int(k), int(k) + n) for k, n in zip(corner, (4, 5), strict=True))
        return np.array_equal(scene.spectra[:, y, x].values, truth[:, y, x], equal_nan=True)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, corners))
    assert np.array_equal(scene.quality[3:9, 4:20].values, quality[3:9, 4:20])


def test_all_fill_opens_as_nodata(prisma, tmp_path):
    for level, name in NAMES.items():
        (tmp_path / level).mkdir()
        path = write(tmp_path / level / name, np.full((234, 7, 5), np.nan), prisma, level)
        scene = open_scene(path)
        assert np.isnan(scene.spectra.values).all()
        assert (scene.quality.values == Quality.NODATA).all()


def test_delivered_zip(cube, prisma, tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    values, saturated = planted(cube, "2B")
    packed = write(tmp_path / NAMES["2B"].replace(".he5", ".zip"), values, prisma, "2B", saturated=saturated)
    scene = open_scene(packed, options={"overlap": "both"})
    assert_right(scene, cube, "2B", prisma)
    assert scene.attrs["product_id"] == NAMES["2B"].removesuffix(".he5")


def _without(name):
    def damage(file, level):
        del file[f"HDFEOS/SWATHS/PRS_L{level}_HCO/{name}"]

    return damage


def _with(name, values):
    def damage(file, level):
        _without(name)(file, level)
        file[f"HDFEOS/SWATHS/PRS_L{level}_HCO/{name}"] = values

    return damage


def _attribute(name, value=None):
    def damage(file, level):
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value

    return damage


BROKEN = [
    ("1", _without("Data Fields/SWIR_Cube"), "lacks .*SWIR_Cube"),
    ("1", _without("Data Fields/Cloud_Mask"), "lacks .*Cloud_Mask"),
    ("1", _without("Geolocation Fields/Latitude_VNIR"), "lacks .*Latitude_VNIR"),
    ("2C", _without("Geolocation Fields"), "lacks .*Latitude"),
    ("2B", _attribute("L2ScaleSwirMax"), "lacks attribute L2ScaleSwirMax"),
    ("2B", _attribute("L2ScaleSwirMax", np.float32(-3)), "Min below Max"),
    ("1", _attribute("ScaleFactor_Vnir", np.float32(0)), "factor above 0"),
    ("1", _attribute("Offset_Vnir", np.bytes_("none")), "one number"),
    ("1", _attribute("List_Cw_Vnir", np.ones(60, "f4")), "60 centres"),
    ("2C", _attribute("Processing_Level", np.bytes_("0")), "level 0.*level 2C"),
    ("2C", _attribute("Processing_Level"), "no PRISMA Processing_Level"),
    ("2C", _attribute("Processing_Level", np.bytes_("2B")), "says that it is level 2B and holds .*PRS_L2C"),
    ("2C", _with("Data Fields/VNIR_Cube", np.zeros((31, 66, 23), "f4")), "float32"),
    ("2C", _with("Data Fields/VNIR_Cube", np.zeros((30, 66, 23), "u2")), "rows and columns equal"),
    ("2C", _with("Data Fields/VNIR_PIXEL_L2_ERR_MATRIX", np.zeros((31, 60, 23), "u1")), "ERR_MATRIX"),
    ("1", _with("Data Fields/LandCover_Mask", np.zeros((23, 31), "u1")), "LandCover_Mask"),
    ("2C", _with("Geolocation Fields/Longitude", np.zeros((23, 31), "f4")), "Longitude"),
]


@pytest.mark.parametrize(("level", "damage", "words"), BROKEN)
def test_broken_granules(level, damage, words, copy):
    path = copy(level)
    with h5py.File(path, "r+") as file:
        damage(file, level)
    assert PrismaReader().score(path) == 2
    with pytest.raises(SceneError, match=words):
        open_scene(path)


def test_synthesize_writes_what_it_reads(paths, tmp_path):
    for level, name in NAMES.items():
        scene = open_scene(paths[level], options={"overlap": "both"}).load()
        again = open_scene(PrismaReader.synthesize(tmp_path / name, scene), options={"cloud_mask": "none"})
        want = scene.sel(band=again.band.values)
        assert np.nanmax(np.abs(again.spectra.values - want.spectra.values)) < STEP[level]
        assert np.allclose(again.lat, scene.lat, atol=1e-6)
    with pytest.raises(ConfigError, match="reflectance"):
        PrismaReader.synthesize(tmp_path / NAMES["1"], scene)


def test_writer_refuses_what_does_not_fit(cube, prisma, tmp_path):
    with pytest.raises(ConfigError, match="2D"):
        write(tmp_path / "a.he5", cube, prisma, "2D")
    with pytest.raises(ConfigError, match="lines"):
        write(tmp_path / "b.he5", iter([cube[:, :5]]), prisma, "1", shape=SIZE)
    with pytest.raises(ConfigError, match="does not fit"):
        write(tmp_path / "c.he5", iter([cube[:, :, :5]]), prisma, "1", shape=SIZE)
