"""Hyperion L1T: known radiances at known pixels, the grid, bands and fill, what is refused."""

import os
import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_sensors.hyperion.mtl import look_to_zenith, parse_mtl
from hsgeo_sensors.hyperion.reader import BANDS, CALIBRATED, Cube, HyperionReader, band_table
from hsgeo_sensors.hyperion.writer import USED, sunlit, write_hyperion

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, sensor
from hsgeo.scene import open_scene as open_chunked

open_scene = partial(open_chunked, chunks=None)  # hundreds of tiny chunks would only take time
NAME = "EO1H1930292013213110KF"
SCALE = (37.5, 81.0)  # not the usual 40 and 80: a reader that assumes those must fail
PLANE = {number: k for k, number in enumerate(USED)}


@pytest.fixture(scope="module")
def cube():
    """Radiance of the 198 calibrated bands, 23 x 31 pixels, each number another; a border and two lone gaps."""
    band, y, x = np.meshgrid(np.arange(198), np.arange(23), np.arange(31), indexing="ij")
    values = (5 + band / 3 + y * 1.1 + x * 0.37).astype(np.float64)
    values[:, :, :4] = np.nan
    values[40, 11, 15] = np.nan
    values[100, 10, 15] = -2.0
    values[120, 9, 15] = 0.001  # rounds to 0, which would mean nothing
    return values


@pytest.fixture(scope="module")
def path(cube, tmp_path_factory):
    where = tmp_path_factory.mktemp("hyperion") / NAME
    return write_hyperion(where, cube, scale=SCALE, unused=7, origin=(600015.0, 4500015.0))


@pytest.fixture
def copy(path, tmp_path):
    """A folder of links: whoever changes a file writes it anew."""
    return shutil.copytree(path, tmp_path / NAME, copy_function=os.link)


def change(folder, name, edit):
    file = folder / name
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(edit(data))


def swap(old, new):
    return lambda data: data.replace(old.encode(), new.encode(), 1)


def assert_true(scene, cube):
    """Say whether every number is where it belongs, on the ground and in the spectrum."""
    want = cube[[PLANE[int(number)] for number in scene.band]]
    found = scene.spectra.values
    assert found.shape == want.shape
    assert (scene.x.values[0], scene.y.values[0]) == (600015.0, 4500015.0)
    assert scene.rio.crs.to_epsg() == 32632
    assert (np.isnan(found) == np.isnan(want)).all()
    assert np.nanmax(np.abs(found - want)) < 1.01 / min(SCALE)
    assert float(scene.spectra.sel(band=150, x=600015 + 30 * 20, y=4500015 - 30 * 13)) == pytest.approx(
        cube[PLANE[150], 13, 20], abs=0.5 / SCALE[1] + 1e-4
    )


def test_values_and_grid(path, cube):
    for scene in (open_scene(path, options={"overlap": "both"}), xr.open_dataset(path, engine="hsgeo")):
        check_scene(scene)
        assert_true(scene, cube)
        assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("radiance", "W m-2 sr-1 um-1")


def test_a_product_further_down_opens_by_the_outer_folder(path, cube, tmp_path):
    shutil.copytree(path, tmp_path / "a/b/c" / NAME, copy_function=os.link)
    assert_true(open_scene(tmp_path, options={"overlap": "both"}), cube)


def test_what_the_metadata_say(path):
    scene = open_scene(path)
    assert (scene.attrs["product_id"], scene.attrs["sensor"]) == (NAME, "Hyperion")
    assert scene.attrs["processing_level"] == "L1T"
    assert str(scene.time.values) == "2013-08-01T09:14:03.125000000"  # day 213
    assert float(scene.sun_zenith) == pytest.approx(90 - 52.25)
    assert float(scene.sun_azimuth) == pytest.approx(218.5)
    assert scene.attrs["sensor_look_angle"] == -18.641
    assert float(scene.view_zenith) == pytest.approx(20.79, abs=0.01)
    assert look_to_zenith(0.0) == 0.0
    assert np.isnan(look_to_zenith(70.0))


@pytest.mark.parametrize(
    "plant",
    [
        lambda old: (
            lambda self, bands, rows, cols: np.resize(old(self, bands, rows, cols).transpose(0, 2, 1), (198, 23, 31))
        ),
        lambda old: lambda self, bands, rows, cols: old(self, bands, rows, cols)[:, ::-1],
        lambda old: lambda self, bands, rows, cols: old(self, bands, rows, cols)[:, :, ::-1],
        lambda old: lambda self, bands, rows, cols: old(self, bands, rows, cols)[::-1],
    ],
    ids=["transposed", "north-south", "east-west", "bands"],
)
def test_planted_errors_in_pixels_are_seen(plant, path, cube, monkeypatch):
    monkeypatch.setattr(Cube, "window", plant(Cube.window))
    scene = open_scene(path, options={"overlap": "both"})
    with pytest.raises(AssertionError):
        assert_true(scene, cube)


def test_a_planted_half_pixel_is_seen(path, cube, monkeypatch):
    from hsgeo_sensors.hyperion import reader as hyperion

    honest = hyperion.check_grid

    def shifted(*args, **kwargs):
        shape, crs, t = honest(*args, **kwargs)
        return shape, crs, rasterio.Affine(t.a, t.b, t.c + 15, t.d, t.e, t.f)

    monkeypatch.setattr(hyperion, "check_grid", shifted)
    with pytest.raises(AssertionError):
        assert_true(open_scene(path, options={"overlap": "both"}), cube)


def test_bands_and_overlap(path):
    table, _ = band_table()
    usual = open_scene(path)
    assert usual.band.values.tolist() == [*range(8, 58), *range(79, 225)]  # the usual 196
    assert np.allclose(usual.wavelength, table[usual.band.values - 1])
    assert set(open_scene(path, options={"overlap": "swir"}).band.values) == set(CALIBRATED) - {56, 57}
    both = open_scene(path, options={"overlap": "both"})
    assert both.sizes["band"] == 198
    assert both.sel(band=[57, 77]).detector.values.tolist() == ["vnir", "swir"]
    assert not usual.good.sel(band=[124, 130, 170, 180]).any()  # water vapour
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(path, options={"overlap": "none"})


def test_the_table_is_that_of_the_usgs():
    wavelength, fwhm = band_table()
    known = {1: (355.59, 11.3871), 8: (426.82, 11.3871), 57: (925.41, 11.2754), 71: (851.92, 11.0457)}
    known |= {77: (912.45, 11.0457), 156: (1709.5, 11.5634), 224: (2395.5, 10.4077), 242: (2577.08, 10.4077)}
    for number, pair in known.items():
        assert (wavelength[number - 1], fwhm[number - 1]) == pair
    assert (np.diff(wavelength[:70]) > 10).all()
    assert (np.diff(wavelength[70:]) > 9.9).all()
    found = sensor("hyperion")
    assert {d: int((found.detector == d).sum()) for d in BANDS} == {"vnir": 50, "swir": 148}
    assert (np.sort(wavelength[np.array(CALIBRATED) - 1]) == found.wavelength).all()


def test_fill(path, cube):
    scene = open_scene(path)
    outside = np.isnan(cube).all(axis=0)
    assert ((scene.quality.values & Quality.NODATA) > 0).tolist() == outside.tolist()
    assert int(np.isnan(scene.spectra.sel(band=USED[40])).sum()) == outside.sum() + 1  # DN 0 in one band


def test_corners_that_are_edges_and_a_product_without_a_measurement(tmp_path):
    empty = np.full((198, 3, 4), np.nan)
    scene = open_scene(write_hyperion(tmp_path / "folder", empty, corners="edge", origin=(300000.0, 5000010.0)))
    assert (scene.x.values[0], scene.y.values[0]) == (300000.0, 5000010.0)
    assert (scene.quality == Quality.NODATA).all()
    assert np.isnan(scene.spectra[::50]).all()


def test_ways_to_name_a_product(path, copy, cube, tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    some = {"band": [3, 100], "y": slice(8, 13)}
    whole = open_scene(path).spectra[some].values
    for named in (path / f"{NAME}_MTL_L1T.TXT", path / f"{NAME}_B042_L1T.TIF", shutil.move(copy, tmp_path / "any")):
        assert HyperionReader().score(named) == 2
        assert np.array_equal(open_scene(named).spectra[some], whole, equal_nan=True)
    for suffix, unpacked in ((".zip", 2 + 2), (".tar.gz", 198)):  # the ends tell the grid; a gzipped tar is read once
        packed = write_hyperion(tmp_path / f"{NAME}_1T{suffix}", cube, scale=SCALE)
        before = len(list((tmp_path / "cache").glob("*.TIF")))
        scene = open_scene(packed)
        assert scene.attrs["product_id"] == NAME
        assert np.array_equal(scene.spectra[some], whole, equal_nan=True)
        assert len(list((tmp_path / "cache").glob("*.TIF"))) - before == unpacked


def test_blocks_write_the_same_files(path, cube, tmp_path):
    again = write_hyperion(
        tmp_path / NAME,
        (cube[:, row : row + 5] for row in range(0, 23, 5)),
        shape=(23, 31),
        scale=SCALE,
        unused=7,
        origin=(600015.0, 4500015.0),
    )
    for name in (f"{NAME}_MTL_L1T.TXT", f"{NAME}_B008_L1T.TIF", f"{NAME}_B242_L1T.TIF"):
        assert (again / name).read_bytes() == (path / name).read_bytes()
    with pytest.raises(ConfigError, match="rows"):
        write_hyperion(tmp_path / "short", iter([cube[:, :5]]), shape=(23, 31))
    with pytest.raises(ConfigError, match="numbers from 1 to 242"):
        write_hyperion(tmp_path / "wrong", cube[:1], band=[243])


def test_synthesize(tmp_path):
    bands = sensor("hyperion")
    y, x = 4649700.0 - 30 * np.arange(4), 500010.0 + 30 * np.arange(5)
    grey = xr.DataArray(
        np.full((198, 4, 5), 0.3, np.float32), dims=("band", "y", "x"), attrs={"quantity": "reflectance"}
    )
    scene = xr.Dataset({"spectra": grey}, {"y": y, "x": x, "wavelength": ("band", bands.wavelength)})
    scene = scene.assign_coords(fwhm=("band", bands.fwhm), detector=("band", bands.detector)).rio.write_crs(32633)
    found = open_scene(HyperionReader.synthesize(tmp_path / "granule", scene))
    assert found.sizes["band"] == 196
    want = sunlit(np.full((196, 1, 1), 0.3), found.wavelength.values)
    assert np.abs(found.spectra - want).max() < 0.5 / 40 + 1e-4
    assert 100 < float(found.sel(wavelength=550, method="nearest").spectra[0, 0]) < 200  # a bright field at noon
    assert (found.rio.crs.to_epsg(), float(found.x[0]), float(found.y[0])) == (32633, 500010.0, 4649700.0)


def _missing(folder):
    (folder / f"{NAME}_B101_L1T.TIF").unlink()


def _short(folder):
    change(folder, f"{NAME}_B101_L1T.TIF", lambda data: data[: len(data) * 6 // 10])


def _text(old, new):
    return lambda folder: change(folder, f"{NAME}_MTL_L1T.TXT", swap(old, new))


def _rewrite(number, **how):
    def damage(folder):
        file = folder / f"{NAME}_B{number:03d}_L1T.TIF"
        with rasterio.open(file) as source:
            profile, values = {**source.profile, **how}, source.read(1)
        file.unlink()
        with rasterio.open(file, "w", **profile) as out:
            out.write(np.resize(values, out.shape).astype(profile["dtype"]), 1)

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_missing, r"1 bands are missing: 101"),
        (_short, r"cut short, .*B101_L1T\.TIF"),
        (lambda folder: change(folder, f"{NAME}_MTL_L1T.TXT", lambda data: data[:9000]), "ends before its END"),
        (lambda folder: change(folder, f"{NAME}_MTL_L1T.TXT", lambda data: b"<html>"), "no KEY = VALUE"),
        (_text("SCALING_FACTOR_SWIR = ", "SCALING_FACTOR_X = "), "lacks SCALING_FACTOR_SWIR"),
        (_text("SCALING_FACTOR_VNIR = ", "SCALING_FACTOR_VNIR = -"), "positive"),
        (_text('"HYPERION"', '"ALI"'), "SENSOR_ID = ALI"),
        (_text("PRODUCT_LINES = 23", "PRODUCT_LINES = 31"), r"31 lines.*check_grid=false"),
        (_text("UL_CORNER_MAPX = 600015", "UL_CORNER_MAPX = 600000"), "pixel centres or pixel edges"),
        (_text("LR_CORNER_MAPY = 4499355", "LR_CORNER_MAPY = 4499340"), "pixel centres or pixel edges"),
        (_rewrite(8, dtype="float32"), "float32"),
        (_rewrite(224, height=24), "different grids"),
        (_rewrite(8, crs=None), "no map grid"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_broken_products(damage, words, copy):
    damage(copy)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)


def test_a_band_of_another_shape_is_found_when_it_is_read(copy):
    _rewrite(150, height=40)(copy)
    scene = open_scene(copy)
    with pytest.raises(SceneError, match=r"B150_L1T\.TIF holds \(40, 31\)"):
        scene.spectra.load()


def test_corners_can_be_left_unchecked(copy):
    _text("UL_CORNER_MAPX = 600015", "UL_CORNER_MAPX = 600000")(copy)
    assert open_scene(copy, options={"check_grid": False}).x.values[0] == 600015.0


def test_cut_bands_beside_the_whole_metadata(copy, cube):
    for file in copy.glob("*.TIF"):
        with rasterio.open(file) as source:
            window = rasterio.windows.Window(5, 6, 20, 11)
            profile, values = source.profile | {"height": 11, "width": 20}, source.read(1, window=window)
            profile["transform"] = source.window_transform(window)
        with rasterio.open(file, "w", **profile) as out:
            out.write(values, 1)
    with pytest.raises(SceneError, match=r"23 lines and 31 samples.*check_grid=false"):
        open_scene(copy)
    scene = open_scene(copy, options={"check_grid": False})
    assert (scene.x.values[0], scene.y.values[0]) == (600015.0 + 150, 4500015.0 - 180)
    assert np.abs(scene.spectra.sel(band=20) - cube[USED.index(20), 6:17, 5:25]).max() < 1 / min(SCALE)


@pytest.mark.parametrize("level", ["folder", "zip", "file"])
def test_hdf4_is_refused(level, tmp_path):
    data = b"\x0e\x03\x13\x01" + bytes(2000)
    old = tmp_path / f"{NAME}.L1R"
    old.write_bytes(data)
    if level == "zip":
        with zipfile.ZipFile(tmp_path / f"{NAME}_1R.ZIP", "w") as archive:
            archive.write(old, f"{NAME}/{old.name}")
    named = {"folder": tmp_path, "zip": tmp_path / f"{NAME}_1R.ZIP", "file": old}[level]
    assert HyperionReader().score(named) == 2
    with pytest.raises(SceneError, match="HDF4 is not supported"):
        open_scene(named)


def test_metadata_corner_cases():
    meta = parse_mtl(b"GROUP = A\nSUN_AZIMUTH = UNAVAILABLE\nX = 1\nX = 2\nEND_GROUP = A\nEND\n", name="mtl")
    assert np.isnan(meta.optional("SUN_AZIMUTH"))
    assert meta.time() is None
    with pytest.raises(SceneError, match="X = 1 and 2"):
        meta.text("X")
