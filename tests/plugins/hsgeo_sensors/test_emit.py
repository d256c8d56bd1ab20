"""EMIT: known values and places, quality bits, companions; planted readers that are wrong."""

import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray as xr
from hsgeo_sensors.emit import reader as emit
from hsgeo_sensors.emit.cube import Cube
from hsgeo_sensors.emit.grid import Plane
from hsgeo_sensors.emit.reader import EmitReader
from hsgeo_sensors.emit.writer import Acquisition, begin_emit, write_emit
from hsgeo_sensors.emit.writer_sides import write_emit_mask
from pyproj import Transformer

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, open_scene
from tests.plugins.hsgeo_sensors.emit_case import (
    BAD,
    COLUMNS,
    NAME,
    ROWS,
    SWATH,
    emit_bands,
    emit_truth,
    given,
    layers,
    write_all,
)


@pytest.fixture(scope="module")
def bands():
    return emit_bands()


@pytest.fixture(scope="module")
def truth():
    return emit_truth()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("emit"))


@pytest.fixture
def path(folder):
    return folder / NAME


@pytest.fixture
def copy(path, tmp_path):
    return shutil.copy(path, tmp_path / NAME)


def geotransform(scene):
    return [float(v) for v in scene["glt_x"].attrs["GeoTransform"].split()]


def place(row, column):
    """Longitude and latitude of pixel centres, from the numbers of the default swath."""
    s, c = np.sin(np.deg2rad(52)), np.cos(np.deg2rad(52))
    east = 601_000 - 60 * c * (column + 0.5) + 62 * s * (row + 0.5)
    north = 3_905_000 + 60 * s * (column + 0.5) + 62 * c * (row + 0.5)
    return Transformer.from_crs("EPSG:32611", "EPSG:4326", always_xy=True).transform(east, north)


def assert_values(scene, truth):
    """Physical values at known pixels, and everywhere."""
    found = scene["spectra"].transpose("band", "y", "x").values
    assert found.shape == truth.shape
    for band, row, column in ((0, 0, 0), (60, 22, 30), (284, 1, 29), (17, 19, 3)):
        assert found[band, row, column] == np.float32(0.02 + band / 400 + row / 97 + column / 211)
    good = scene["good"].values
    assert np.array_equal(found[good], truth[good], equal_nan=True)
    assert np.isnan(found[~good]).all()  # the placeholder of bad bands is no measurement


def assert_places(scene):
    """Latitude and longitude of known pixels, and cells of the table at the pixels they point to."""
    for row, column in ((0, 0), (7, 20), (22, 30)):
        lon, lat = place(row, column)
        assert scene["lon"].values[row, column] == pytest.approx(lon, abs=1e-9)
        assert scene["lat"].values[row, column] == pytest.approx(lat, abs=1e-9)
    west, width, _, north, _, height = geotransform(scene)
    x, y = scene["glt_x"].values, scene["glt_y"].values
    i, j = np.nonzero(x)
    lon, lat = place(y[i, j] - 1, x[i, j] - 1)
    off = np.array([(lon - west) / width - j - 0.5, (lat - north) / height - i - 0.5])
    assert len(i) > 0.9 * ROWS * COLUMNS
    assert np.abs(off.mean(axis=1)).max() < 0.1
    assert np.abs(off).max() < 1
    assert set(zip(y[i, j], x[i, j], strict=True)) <= {
        (r, c) for r in range(1, ROWS + 1) for c in range(1, COLUMNS + 1)
    }


@pytest.mark.parametrize("how", ["open_scene", "engine", "chunked"])
def test_values_and_places(how, path, truth):
    if how == "engine":
        scene = xr.open_dataset(path, engine="hsgeo")
    else:
        scene = open_scene(path, chunks=None if how == "open_scene" else {"y": 5, "x": 8})
    check_scene(scene)
    assert_values(scene, truth)
    assert_places(scene)


def _transposed(block):
    return np.resize(block.transpose(0, 2, 1), block.shape)


@pytest.mark.parametrize("wrong", [_transposed, lambda block: block[:, ::-1], lambda block: block[:, :, ::-1]])
def test_planted_readers_fail_on_values(wrong, path, truth, monkeypatch):
    right = Cube.window
    monkeypatch.setattr(Cube, "window", lambda self, bands, rows, cols: wrong(right(self, bands, rows, cols)))
    with pytest.raises(AssertionError):
        assert_values(open_scene(path), truth)


@pytest.mark.parametrize("wrong", ["half cell", "half pixel", "from zero", "transposed"])
def test_planted_readers_fail_on_places(wrong, path, monkeypatch):
    right, window = emit.lookup_table, Plane.window

    def table(file, path, lat, lon):
        found = right(file, path, lat, lon)
        t = found.transform
        return found._replace(transform=t * type(t).translation(0.5, 0.5)) if wrong == "half cell" else found

    def plane(self, bands, rows, cols):
        values = window(self, bands, rows, cols)
        if "glt" in self.dataset:
            return values - (values > 0) if wrong == "from zero" else values
        if wrong == "half pixel":
            return values + 0.00027
        return _transposed(values[None])[0] if wrong == "transposed" else values

    monkeypatch.setattr(emit, "lookup_table", table)
    monkeypatch.setattr(Plane, "window", plane)
    scene = open_scene(path)
    with pytest.raises(AssertionError):
        assert_places(scene)


def test_picked_bands_read_in_blocks(path, truth, monkeypatch):
    monkeypatch.setattr("hsgeo_sensors.emit.cube.BLOCK", 1)  # one row at a time
    picked = [200, 3, 4, 5, 90]  # the first is flagged bad
    found = open_scene(path, chunks=None)["spectra"][picked, 2:9, 1:20].values
    assert np.isnan(found[0]).all()
    assert np.array_equal(found[1:], truth[picked[1:], 2:9, 1:20], equal_nan=True)


def test_what_a_scene_tells(path):
    scene = open_scene(path)
    assert scene.attrs["sensor"] == "EMIT"
    assert scene.attrs["product_id"] == path.stem
    assert scene.attrs["processing_level"] == "L2A"
    assert scene.attrs["quality_source"] == NAME.replace("RFL", "MASK")
    assert str(scene.time.values).startswith("2023-04-22T19:59:24")
    assert scene.spectra.attrs["units"] == "1"
    assert (~scene.good).sum() == BAD
    assert scene.rio.crs is None  # a swath has none; the table has its own
    assert "4326" in scene.glt_x.attrs["crs_wkt"]
    assert float(scene.sun_zenith) == 30 + 15 / 8  # column 15 of 31 is the centre
    assert float(scene.view_zenith) == 11.5
    assert float(scene.view_azimuth) == 131.0
    std = scene.spectra_std.values
    assert std[5, 2, 3] == np.float32((0.02 + 5 / 400 + 2 / 97 + 3 / 211) / 50 + 0.001)
    assert np.isnan(std[:, 4, 5]).all()


def test_radiance(folder, truth):
    scene = open_scene(folder / NAME.replace("L2A_RFL", "L1B_RAD"))
    assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("radiance", "uW cm-2 sr-1 nm-1")
    assert np.array_equal(scene.spectra.values, truth * 8, equal_nan=True)  # nothing is a placeholder here
    assert "spectra_std" not in scene
    assert scene.attrs["processing_level"] == "L1B"
    assert scene.quality.values[10, 0] == Quality.CLOUD
    with pytest.raises(ConfigError, match="radiance"):
        open_scene(folder / NAME.replace("L2A_RFL", "L1B_RAD"), options={"uncertainty": folder / NAME})


def test_quality(path):
    quality = open_scene(path).quality.values
    assert quality.dtype == np.uint16
    assert quality[4, 5] == Quality.NODATA
    assert quality[10, 0] == Quality.CLOUD
    assert quality[9, 0] == quality[11, 0] == Quality.CLOUD_SHADOW
    assert quality[10, 2] == Quality.CLOUD | Quality.CIRRUS
    assert quality[0, 29] == quality[20, 20] == Quality.INVALID
    assert quality[0, 25] == quality[3, 7] == 0  # water, and one missing value, are no reason
    alone = open_scene(path, options={"mask": "none"})
    assert np.argwhere(alone.quality.values).tolist() == [[4, 5]]
    assert alone.attrs["quality_source"].endswith("cirrus: mask=none")
    assert alone.quality.attrs["flags_known"] == "nodata"
    assert open_scene(path).quality.attrs["flags_known"] == "nodata cloud cloud_shadow cirrus invalid"


def test_mask_of_version_2(copy):
    rows, _ = np.mgrid[:ROWS, :COLUMNS]
    reach = np.where(abs(rows - 15) <= 2, abs(rows - 15), -1)
    write_emit_mask(copy.parent, {"spectf": rows == 15, "reach": reach}, acquisition=SWATH, version=2)
    scene = open_scene(copy)
    assert scene.attrs["quality_source"] == NAME.replace("RFL_001", "MASK_002")
    assert scene.quality.values[12:19, 0].tolist() == [0, 4, 4, 2, 4, 4, 0]
    with pytest.raises(ConfigError, match="band_mask"):
        open_scene(copy, options={"interpolated": "mask"})


def test_interpolated_values_are_left_out_when_asked(path, truth):
    kept, left = (open_scene(path, options={"interpolated": how}).spectra.values for how in ("keep", "mask"))
    assert np.argwhere(np.isnan(left) & ~np.isnan(kept)).tolist() == [[100, 9, 11], [284, 0, 30]]
    assert np.isfinite(kept[100, 9, 11])
    with pytest.raises(ConfigError, match="interpolated"):
        open_scene(path, options={"interpolated": "mask", "mask": "none"})


def test_which_companion(copy):
    write_emit_mask(copy.parent, {}, acquisition=Acquisition((ROWS, COLUMNS), start="2023-04-22T19:59:36+0000"))
    assert "no EMIT_L2A_MASK file was found" in open_scene(copy).attrs["quality_source"]  # that is the next scene
    write_emit_mask(copy.parent, {}, acquisition=SWATH, version=2)
    assert "MASK_002" in open_scene(copy).attrs["quality_source"]
    write_emit_mask(copy.parent, {}, acquisition=SWATH)
    assert "MASK_001" in open_scene(copy).attrs["quality_source"]  # of the granule's own version


@pytest.mark.parametrize("kind", ["mask", "uncertainty"])
def test_companions_given_under_any_name(kind, copy, folder):
    side = shutil.copy(given(kind, folder), copy.parent / "other.nc")
    scene = open_scene(copy, options={kind: side})
    assert scene.attrs[{"mask": "quality_source", "uncertainty": "uncertainty_source"}[kind]] == "other.nc"


def test_mirrored(copy, bands, truth):
    copy.unlink()
    told = Acquisition((ROWS, COLUMNS), orientation="as seen by fpa", build="010613")
    write_emit(copy, truth[:, :, ::-1].copy(), acquisition=told, **bands)
    write_emit_mask(copy.parent, {k: v[:, ::-1] for k, v in layers().items()}, acquisition=told)
    with pytest.warns(HsgeoWarning, match="mirrored"):
        open_scene(copy)
    scene = open_scene(copy, options={"mirrored": True})
    assert_values(scene, truth)
    assert_places(scene)
    assert np.array_equal(scene.spectra[:, 3:9, 4:11].values, scene.spectra.values[:, 3:9, 4:11], equal_nan=True)
    assert scene.quality.values[0, 29] == Quality.INVALID
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(open_scene(copy, options={"mirrored": False}).spectra[0, 0, 0]) == truth[0, 0, -1]


def test_unlocated_pixels(bands, truth, tmp_path):
    where = write_emit(tmp_path, truth, acquisition=Acquisition((ROWS, COLUMNS), unlocated=(5, 8)), **bands)
    scene = open_scene(where)
    assert np.isnan(scene.lat.values[5:8]).all()
    assert np.isnan(scene.lon.values).sum() == 3 * COLUMNS


def test_score(folder, path, tmp_path):
    score = EmitReader().score
    assert score(path) == score(given("mask", folder)) == 2
    assert score(shutil.copy(path, tmp_path / "renamed.nc")) == 2
    assert score(shutil.copy(given("mask", folder), tmp_path / "mask.nc")) == 0
    assert "-o reader.mask=PATH" in open_scene(tmp_path / "renamed.nc").attrs["quality_source"]
    with pytest.raises(SceneError, match=r"L2A MASK.*mask="):
        open_scene(given("mask", folder))
    mineral, file = begin_emit(tmp_path, "L2B_MIN", SWATH, bands=2)
    file.close()
    with pytest.raises(SceneError, match="L2B MIN"):
        open_scene(mineral)


def test_it_is_netcdf(folder, path, truth):
    """Xarray's own engine finds dimensions, fill values and names in every file."""
    with xr.open_dataset(path, engine="h5netcdf") as root:
        assert root.reflectance.dims == ("downtrack", "crosstrack", "bands")
        assert root.reflectance.dtype == np.float32
        assert np.isnan(root.reflectance.values[4, 5]).all()
        assert root.reflectance.values[1, 2, 3] == truth[3, 1, 2]
        assert root.attrs["instrument"] == "EMIT"
    with xr.open_dataset(path, engine="h5netcdf", group="location", mask_and_scale=False) as location:
        assert location.glt_x.dims == ("ortho_y", "ortho_x")
        assert location.lat.dims == ("downtrack", "crosstrack")
    with xr.open_dataset(given("mask", folder), engine="h5netcdf") as mask:
        assert mask.band_mask.dims == ("downtrack", "crosstrack", "packed_wavelength_bands")
    with xr.open_dataset(given("mask", folder), engine="h5netcdf", group="sensor_band_parameters") as names:
        assert names.mask_bands.values[4] == "Dilated Cloud Flag"
    with h5py.File(path) as file:
        assert file["reflectance"].chunks is None  # contiguous, as delivered


def test_blocks_write_the_same_file(path, truth, bands, tmp_path):
    blocks = (truth[:, row : row + 5] for row in range(0, ROWS, 5))
    again = write_emit(tmp_path, blocks, acquisition=SWATH, **bands)
    with h5py.File(path) as a, h5py.File(again) as b:
        assert np.array_equal(a["reflectance"][:], b["reflectance"][:])
        assert (a["reflectance"][0, 0, 130], a["reflectance"][4, 5, 130]) == (np.float32(-0.01), -9999)
    with pytest.raises(ConfigError, match="rows"):
        write_emit(tmp_path, iter([truth[:, :5]]), acquisition=SWATH, **bands)


def test_synthesize(tmp_path, bands):
    from hsgeo.synthetic import synthetic_scene

    scene = synthetic_scene(20, 27, **bands, seed=1).scene
    found = open_scene(EmitReader.synthesize(tmp_path / NAME, scene))
    good = found.good.values
    assert np.array_equal(found.spectra.values[good], scene.spectra.values[good], equal_nan=True)
    to = Transformer.from_crs("EPSG:4326", scene.rio.crs, always_xy=True)
    east, north = to.transform(found.lon.values[7, 9], found.lat.values[7, 9])
    assert (east, north) == pytest.approx((float(scene.x[9]), float(scene.y[7])), abs=1e-3)


def test_eight_threads_read_true_values(path, truth):
    scene = open_scene(path, chunks=None)["spectra"]
    want = scene.values

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            y, x = rng.integers(0, ROWS - 8), rng.integers(0, COLUMNS - 8)
            tile = np.s_[:, y : y + 8, x : x + 8]
            if not np.array_equal(scene[tile].values, want[tile], equal_nan=True):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
    assert want[3, 1, 2] == truth[3, 1, 2]
