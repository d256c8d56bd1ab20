"""Level 1 as the cloud mask of level 2: on the same grid, by latitude and longitude, found, given, refused."""

import pickle
import shutil

import h5py
import numpy as np
import pytest
from hsgeo_sensors.prisma import match as prisma_match
from hsgeo_sensors.prisma.swath_writer import flight, write_prisma_swath
from hsgeo_sensors.prisma.writer import swath_mask, write_prisma
from rasterio.warp import transform as warp

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import open_scene

LINES, SAMPLES = 40, 35  # of level 1, larger than the map grid of 23 x 31 that lies on it
TIMES = "20210621101214_20210621101218"
L1 = f"PRS_L1_STD_OFFL_{TIMES}_0001"
L2C, L2D = (f"PRS_{level}_STD_{TIMES}_0001" for level in ("L2C", "L2D"))
BITS = {1: Quality.CLOUD, 255: Quality.INVALID}


def few(sensor):
    """Ten bands of each detector: as many as this needs."""
    bands = np.concatenate([np.flatnonzero(sensor.detector == name)[20:30] for name in ("vnir", "swir")])
    return {name: getattr(sensor, name)[bands] for name in ("wavelength", "fwhm", "detector")}


@pytest.fixture(scope="module")
def clouds():
    codes = np.full((LINES, SAMPLES), 10, np.uint8)
    codes[5:20, 8:21], codes[22:24], codes[:, 33], codes[30, 10] = 1, 255, 1, 1
    return codes


@pytest.fixture(scope="module")
def granules(prisma, clouds, tmp_path_factory):
    """A level 1, a level 2C on its grid, and a level 2D map on the middle of it, with padding."""
    folder = tmp_path_factory.mktemp("granules")
    cover = np.zeros((LINES, SAMPLES), np.uint8)
    cover[36:, :4] = 1
    masks = {"Cloud_Mask": clouds, "LandCover_Mask": cover}
    rng = np.random.default_rng(1)
    swath = rng.uniform(0.1, 0.9, (20, LINES, SAMPLES))
    mapped = swath[:, :23, :31].copy()
    mapped[:, ~swath_mask(23, 31, 20.0)] = np.nan
    (lon,), (lat,) = warp("EPSG:32632", "EPSG:4326", [500010 + 30 * 15], [4649700 - 30 * 11])
    places = dict(zip(("lat", "lon"), flight(LINES, SAMPLES, centre=(lat, lon)), strict=True))
    bands = few(prisma)
    return {
        "1": write_prisma_swath(folder / f"{L1}.he5", swath * 50, level="1", masks=masks, **bands, **places),
        "2C": write_prisma_swath(folder / f"{L2C}.he5", swath, level="2C", **bands, **places),
        "2D": write_prisma(folder / f"{L2D}.he5", mapped, **bands),
    }


def test_on_the_same_grid(granules, clouds):
    scene = open_scene(granules["2C"])
    quality = scene.quality.values
    expected = np.zeros(quality.shape, np.uint16)
    for code, bit in BITS.items():
        expected[clouds == code] = bit
    expected[36:, :4] = Quality.SNOW
    assert np.array_equal(quality, expected)
    assert np.array_equal(scene.quality[4:9, 20:35].values, expected[4:9, 20:35])
    assert L1 in scene.attrs["quality_source"]
    assert "on the same grid" in scene.attrs["quality_source"]
    assert np.array_equal(open_scene(granules["1"]).quality.values, expected)


def assert_nearest(scene, level_1, clouds):
    """Compare with a search through all pixels of level 1, from the places in its file, for each pixel of the map."""
    with h5py.File(level_1) as file:
        geo = file["HDFEOS/SWATHS/PRS_L1_HCO/Geolocation Fields"]
        lat, lon = (geo[f"{name}_VNIR"][:].astype(float) for name in ("Latitude", "Longitude"))
    east, north = (np.array(v) for v in warp("EPSG:4326", "EPSG:32632", lon.ravel(), lat.ravel()))
    codes = clouds[:, ::-1].T.ravel()  # as stored: sample by line, last sample first
    inside = swath_mask(23, 31, 20.0)
    found = np.zeros((23, 31), np.uint16)
    for row in range(23):
        for col in range(31):
            off = np.hypot(east - (500010 + 30 * col), north - (4649700 - 30 * row))
            found[row, col] = BITS.get(int(codes[off.argmin()]), 0) if inside[row, col] else Quality.NODATA
    assert {0, Quality.NODATA, Quality.CLOUD, Quality.INVALID} <= set(np.unique(found))
    assert np.array_equal(scene.quality.values & ~np.uint16(Quality.SNOW), found)


def test_by_latitude_and_longitude(granules, clouds):
    scene = open_scene(granules["2D"])
    assert_nearest(scene, granules["1"], clouds)
    assert "nearest by latitude and longitude" in scene.attrs["quality_source"]
    again = pickle.loads(pickle.dumps(open_scene(granules["2D"], chunks=None)))
    assert np.array_equal(again.quality[5:9, 3:30].values, scene.quality.values[5:9, 3:30])


def test_a_mirrored_match_is_caught(granules, clouds, monkeypatch):
    right = prisma_match._match

    def mirrored(*how):
        return right(*how)[:, ::-1]

    monkeypatch.setattr(prisma_match, "_match", mirrored)
    monkeypatch.setattr(prisma_match, "_held", {})
    with pytest.raises(AssertionError):
        assert_nearest(open_scene(granules["2D"]), granules["1"], clouds)


def test_far_pixels_have_no_mask(granules, tmp_path):
    """Pixels of the map beyond the swath of level 1 stay without bits, instead of taking those of its edge."""
    far = shutil.copy(granules["1"], tmp_path / f"{L1}.he5")
    with h5py.File(far, "r+") as file:
        fields = file["HDFEOS/SWATHS/PRS_L1_HCO"]
        fields["Data Fields/Cloud_Mask"][:] = 1
        fields["Geolocation Fields/Longitude_VNIR"][:] += np.float32(0.0066)  # 18 pixels to the east
    with_far = open_scene(granules["2D"], options={"cloud_mask": str(far)})
    quality = with_far.quality.values
    cloudy = (quality & Quality.CLOUD) > 0
    assert not cloudy[:, :5].any()
    assert cloudy[8:14, 21:25].all()
    with h5py.File(far, "r+") as file:
        file["HDFEOS/SWATHS/PRS_L1_HCO/Geolocation Fields/Latitude_VNIR"][:] = np.nan
    assert not (open_scene(granules["2D"], options={"cloud_mask": far}).quality.values & Quality.CLOUD).any()


@pytest.mark.parametrize("axis", ["Longitude_VNIR", "Latitude_VNIR"])
def test_a_level_1_of_another_place(granules, tmp_path, axis):
    """The map is 31 pixels wide and 23 high, level 1 at most 53 across; 150 m are allowed."""
    other = shutil.copy(granules["1"], tmp_path / f"{L1}.he5")
    shutil.copy(granules["2D"], tmp_path / granules["2D"].name)
    with h5py.File(other, "r+") as file:
        file[f"HDFEOS/SWATHS/PRS_L1_HCO/Geolocation Fields/{axis}"][:] += np.float32(0.025)
    with pytest.raises(SceneError, match=r"no place is common.*cloud_mask=none"):
        open_scene(tmp_path / granules["2D"].name)
    open_scene(granules["2C"], options={"cloud_mask": str(granules["1"])})


@pytest.mark.parametrize("level", ["2C", "2D"])
def test_without(level, granules, tmp_path):
    for path, options in (
        (granules[level], {"cloud_mask": "none"}),
        (shutil.copy(granules[level], tmp_path / granules[level].name), {}),
    ):
        scene = open_scene(path, options=options)
        assert not (scene.quality.values & ~np.uint16(Quality.NODATA)).any()
        assert "no PRS_L1 granule was used" in scene.attrs["quality_source"]
        assert "cloud" not in scene.quality.attrs["flags_known"]
    assert "nodata cloud snow glint" in open_scene(granules[level]).quality.attrs["flags_known"]


def test_zipped_and_renamed(granules, tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    expected = open_scene(granules["2C"]).quality.values
    beside = shutil.copy(granules["2C"], tmp_path / granules["2C"].name)
    given = shutil.copy(granules["1"], tmp_path / "some_name.he5")
    assert np.array_equal(open_scene(beside, options={"cloud_mask": str(given)}).quality.values, expected)
    import zipfile

    with zipfile.ZipFile(tmp_path / f"{L1}.zip", "w") as archive:
        archive.write(granules["1"], granules["1"].name)
    assert np.array_equal(open_scene(beside).quality.values, expected)
    shutil.copy(granules["1"], tmp_path / granules["1"].name)  # unpacked beside its zip: one granule, not two
    assert np.array_equal(open_scene(beside).quality.values, expected)
    shutil.copy(granules["1"], tmp_path / f"{L1[:-1]}2.he5")
    with pytest.raises(SceneError, match="2 level 1 granules"):
        open_scene(beside)


def _set(name, value):
    def change(path):
        with h5py.File(path, "r+") as file:
            file.attrs[name] = value

    return change


def _cut(path):
    path.write_bytes(path.read_bytes()[:100_000])


def _no_clouds(path):
    with h5py.File(path, "r+") as file:
        del file["HDFEOS/SWATHS/PRS_L1_HCO/Data Fields/Cloud_Mask"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("Product_StartTime", np.bytes_("2021-06-21T10:12:18.7")), "the same acquisition"),
        (_cut, "cannot be used.*complete"),
        (_no_clouds, "cannot be used.*Cloud_Mask"),
        (lambda path: path.unlink(), "is no file"),
    ],
)
@pytest.mark.parametrize("level", ["2C", "2D"])
def test_wrong_companions(change, words, level, granules, tmp_path):
    other = shutil.copy(granules["1"], tmp_path / f"{L1}.he5")
    change(other)
    with pytest.raises(SceneError, match=words) as told:
        open_scene(granules[level], options={"cloud_mask": str(other)})
    assert "cloud_mask=none" in str(told.value)


def test_other_shape_and_level(granules, prisma, tmp_path):
    small = np.full((20, 9, 7), 30.0)
    other = write_prisma_swath(tmp_path / f"{L1}.he5", small, level="1", **few(prisma))
    with pytest.raises(SceneError, match="the same sensor grid"):
        open_scene(granules["2C"], options={"cloud_mask": str(other)})
    with pytest.raises(SceneError, match="is PRISMA level 2C"):
        open_scene(granules["2D"], options={"cloud_mask": str(granules["2C"])})
