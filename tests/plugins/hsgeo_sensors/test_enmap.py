"""EnMAP: known values at known pixels, the grid, quality bits, archives, what is refused."""

import shutil
import tarfile

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr
from hsgeo_sensors.enmap import raster as enmap_raster
from hsgeo_sensors.enmap.grid import epsg_of
from hsgeo_sensors.enmap.reader import EnmapReader
from hsgeo_sensors.enmap.writer import SHIFT, STEM
from rasterio.transform import Affine

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, find_reader, open_scene
from tests.plugins.hsgeo_sensors.enmap_case import (
    BOTH,
    DEAD,
    ENMAP,
    HEIGHT,
    L2A,
    TRUTH,
    WIDTH,
    assert_right,
    raster,
    write,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("enmap") / "product")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "product")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_values_bands_and_grid(folder):
    scene = open_scene(folder, options=BOTH)
    check_scene(scene)
    assert_right(scene)
    assert_right(xr.open_dataset(raster(folder), engine="hsgeo", options=BOTH))
    assert np.allclose(scene.wavelength, ENMAP.wavelength)
    assert np.allclose(scene.fwhm, ENMAP.fwhm)
    assert (scene.detector == ENMAP.detector).all()
    assert scene.band.values.tolist() == list(range(1, ENMAP.bands + 1))
    assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("reflectance", "1")
    assert str(scene.time.values) == "2022-07-24T10:45:26.131000000"
    angles = [float(scene[name]) for name in ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")]
    assert angles == [33.75, 153.5, 7.5, 282.0]
    assert (scene.attrs["sensor"], scene.attrs["processing_level"]) == ("EnMAP", "L2A")
    assert scene.attrs["product_id"] == L2A
    assert scene.attrs["grid_check"] == "projection, resolution, corners, footprint"
    again = open_scene(folder, options=BOTH)
    assert again.spectra.data.name == scene.spectra.data.name, "the same file gives the same tasks"


def _transposed(monkeypatch):
    class Turned(enmap_raster.Tiff):
        def __init__(self, path, *, name):
            super().__init__(path, name=name)
            self.shape = (self.shape[0], self.shape[2], self.shape[1])

        def read(self, bands, rows, cols):
            return super().read(bands, cols, rows).swapaxes(1, 2)

    monkeypatch.setattr("hsgeo_sensors.enmap.reader.Tiff", Turned)
    monkeypatch.setattr("hsgeo_sensors.enmap.reader._check_image", lambda *_: None)


def _flipped(monkeypatch):
    plain = enmap_raster.Tiff.read
    monkeypatch.setattr(
        enmap_raster.Tiff,
        "read",
        lambda self, bands, rows, cols: plain(self, bands, (HEIGHT - rows[1], HEIGHT - rows[0]), cols)[:, ::-1],
    )


def _half_a_pixel(monkeypatch):
    plain = enmap_raster.Tiff.__init__

    def shifted(self, path, *, name):
        plain(self, path, name=name)
        self.transform = self.transform * Affine.translation(0.5, 0.5)

    monkeypatch.setattr(enmap_raster.Tiff, "__init__", shifted)


@pytest.mark.parametrize("plant", [_transposed, _flipped, _half_a_pixel])
def test_the_assertions_catch_wrong_readers(folder, plant, monkeypatch):
    options = {**BOTH, "check_grid": False}
    assert_right(open_scene(folder, options=options))
    plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        assert_right(open_scene(folder, options=options))


def test_dead_bands_are_not_good(folder):
    scene = open_scene(folder, options=BOTH)
    assert 5 <= DEAD.sum() <= 6
    assert not scene.good.values[DEAD].any()
    assert (scene.good.values == (ENMAP.good & ~DEAD)).all()
    assert np.isnan(scene.spectra.values[DEAD]).all()


def test_a_dead_band_outside_of_water_vapour(tmp_path):
    dead = DEAD.copy()
    dead[60] = True
    scene = open_scene(write(tmp_path / "p", dead=dead), options=BOTH)
    assert ENMAP.good[60]
    assert not scene.good.values[60]


def test_overlap(folder):
    low = ENMAP.wavelength[ENMAP.detector == "swir"].min()
    high = ENMAP.wavelength[ENMAP.detector == "vnir"].max()
    swir, vnir = open_scene(folder), open_scene(folder, options={"overlap": "vnir"})
    for scene, edge in ((swir, "swir"), (vnir, "vnir")):
        inside = (scene.wavelength.values > low - 0.01) & (scene.wavelength.values < high + 0.01)
        assert inside.any()
        assert (scene.detector.values[inside] == edge).all()
        assert (np.diff(scene.wavelength) > 0).all()
    both = open_scene(folder, options=BOTH)
    assert both.sizes["band"] == ENMAP.bands > swir.sizes["band"]
    mixed = both.detector.values[((both.wavelength > 905) & (both.wavelength < 990)).values]
    assert (mixed[1:] != mixed[:-1]).sum() > 5, "the detectors interleave in the file"
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(folder, options={"overlap": "none"})


LAYERS = {
    "CLOUD": (12, 1, 1, Quality.CLOUD),
    "CLOUDSHADOW": (13, 2, 1, Quality.CLOUD_SHADOW),
    "CIRRUS": (14, 3, 2, Quality.CIRRUS),
    "HAZE": (15, 4, 1, 0),
    "SNOW": (16, 5, 1, Quality.SNOW),
}


@pytest.fixture(scope="module")
def flagged(tmp_path_factory):
    layers = {}
    for name, (row, column, number, _) in LAYERS.items():
        layers[name] = np.zeros((HEIGHT, WIDTH), np.uint8)
        layers[name][row, column] = number
        layers[name][:9, :4] = 255  # outside
    tests = np.zeros((HEIGHT, WIDTH), np.uint8)
    # saturated SWIR, saturated VNIR, artefact SWIR; interpolated and of reduced quality; not produced
    tests[17:22, 6] = 0b0001_0000, 0b0010_0010, 0b0100_0000, 0b0000_1101, 0b1111_1111
    defective = np.zeros(TRUTH.shape, bool)
    defective[80, 30, 20] = True
    where = tmp_path_factory.mktemp("flagged") / "product"
    return write(where, layers={**layers, "TESTFLAGS": tests}, defective=defective)


def test_quality_comes_from_the_layers(flagged):
    scene = open_scene(flagged)
    expected = np.zeros((HEIGHT, WIDTH), np.uint16)
    expected[:9, :4] = Quality.NODATA
    for row, column, _, bit in LAYERS.values():
        expected[row, column] = bit
    expected[17:22, 6] = Quality.SATURATED, Quality.SATURATED, Quality.INVALID, 0, 0
    assert np.array_equal(scene.quality.values, expected)
    assert scene.quality.dtype == np.uint16
    assert np.array_equal(scene.quality[10:20, 2:9].values, expected[10:20, 2:9])
    assert scene.attrs["quality_source"].split(", ")[3] == "QL_QUALITY_CIRRUS.TIF"
    haze = open_scene(flagged, options={"haze": True}).quality.values
    assert haze[15, 4] == Quality.CIRRUS
    assert (haze != expected).sum() == 1


def test_without_layers_nodata_is_told_by_the_image(flagged, copy):
    expected = np.isnan(TRUTH).all(axis=0) * np.uint16(Quality.NODATA)
    scene = open_scene(flagged, options={"layers": False})
    assert np.array_equal(scene.quality.values, expected)
    assert scene.attrs["quality_source"] == "nodata of the image"
    for path in copy.glob("*-QL_*"):
        path.unlink()
    with pytest.warns(HsgeoWarning, match="without QL_QUALITY_CLASSES, QL_QUALITY_CLOUD"):
        scene = open_scene(copy)
    assert np.array_equal(scene.quality.values, expected)


def test_defective_values_are_missing_when_asked_for(flagged, copy):
    plain = open_scene(flagged, options=BOTH).spectra.values
    masked = open_scene(flagged, options={**BOTH, "pixelmask": True}).spectra
    assert np.argwhere(np.isnan(masked.values) & ~np.isnan(plain)).tolist() == [[80, 30, 20]]
    assert np.isnan(masked.isel(band=[80, 3], y=slice(29, 31), x=20).values).tolist() == [[False, True], [False, False]]
    raster(copy, "QL_PIXELMASK").unlink()
    with pytest.raises(SceneError, match="QL_PIXELMASK"):
        open_scene(copy, options={"pixelmask": True})
    open_scene(copy)


@pytest.mark.parametrize("how", [{"interleave": "pixel"}, {"say_nodata": False}, {"ending": "_COG.TIF"},
                                 {"ending": ".TIFF", "xml_ending": ".XML.XML"}, {"corners": "centre"}])  # fmt: skip
def test_variants_read_the_same(tmp_path, how):
    scene = open_scene(write(tmp_path / "p", **how), options=BOTH)
    assert_right(scene)
    assert scene.attrs["product_id"] == L2A
    assert np.array_equal(scene.quality.values == Quality.NODATA, np.isnan(TRUTH).all(axis=0))


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", " in .tar.gz"])
def test_archives_as_delivered(tmp_path, ending, cache):
    name = f"{L2A}.ZIP" if ending.startswith(" ") else f"{L2A}{ending}"
    path = write(tmp_path / name)
    if ending.startswith(" "):
        outer = tmp_path / "dims_op_oc_oc-en_700000001_1.tar.gz"
        with tarfile.open(outer, "w:gz") as archive:
            archive.add(path, f"dims_op_oc_oc-en_700000001_1/ENMAP.HSI.L2A/{path.name}")
        path.unlink()
        path = outer
    assert EnmapReader().score(path) == 2
    scene = open_scene(path, options=BOTH)
    assert_right(scene)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, "cache"}
    for file in cache.iterdir():
        if file.suffix.lower() != ".zip":
            file.unlink()  # cleaned meanwhile: the scene says so, and the next opening unpacks again
    assert_right(open_scene(path, options=BOTH))


ORDER = "dims_op_oc_oc-en_700000001_1/ENMAP.HSI.L2A"


@pytest.mark.parametrize("between", ["", "ENMAP-HSI-L2ADT0000001867_8-2022-07-24T10_45_26.123_x"])
@pytest.mark.parametrize("packed", [False, True])
def test_orders_unpacked_by_hand_open_by_their_outer_folder(tmp_path, folder, between, packed):
    where = tmp_path / ORDER / between
    (tmp_path / ORDER).parent.mkdir()
    (tmp_path / ORDER).with_name("readme.html").touch()
    if packed:
        where.mkdir(parents=True)
        shutil.make_archive(str(where / L2A), "zip", folder)
    else:
        shutil.copytree(folder, where / L2A)
    for path in (tmp_path / "dims_op_oc_oc-en_700000001_1", tmp_path / ORDER):
        assert EnmapReader().score(path) == 2
        assert_right(open_scene(path, options=BOTH))
    shutil.copytree(tmp_path / ORDER, tmp_path / f"{ORDER}2")
    with pytest.raises(SceneError, match=rf"2 {'archives' if packed else 'products'}.*L2A/.*{L2A}.*L2A2/.*{L2A}"):
        open_scene(tmp_path / "dims_op_oc_oc-en_700000001_1")


def test_every_file_of_the_product_opens_it(folder):
    for name in ("METADATA.XML", "SPECTRAL_IMAGE.TIF"):
        assert find_reader(folder / f"{L2A}-{name}")[0] == "enmap"
        assert open_scene(folder / f"{L2A}-{name}").sizes["y"] == HEIGHT
    assert find_reader(folder)[0] == find_reader(folder.parent)[0] == "enmap"
    assert find_reader(raster(folder, "QL_QUALITY_CLOUD"))[0] == "enmap"  # which says what to give instead


def test_both_names_of_the_metadata_are_one_product(copy):
    plain = copy / f"{L2A}-METADATA.XML"
    plain.with_suffix(".XML.XML").write_text("the plain one stands before it")
    for path in (copy, plain, raster(copy)):
        assert_right(open_scene(path, options=BOTH))


RADIANCE = np.where(np.isnan(TRUTH), np.nan, TRUTH / 10 + 0.01).astype(np.float32)


def test_l1c_is_radiance_by_the_gains_of_each_band(tmp_path):
    scene = open_scene(write(tmp_path / "p", RADIANCE, level="L1C"), options=BOTH)
    expected = RADIANCE.copy()
    expected[DEAD] = np.nan
    found = scene.spectra.values
    assert (np.isnan(found) == np.isnan(expected)).all()
    assert np.nanmax(np.abs(found - expected)) < 1.01e-5  # half the largest gain
    assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("radiance", "W m-2 sr-1 nm-1")
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.attrs["processing_level"] == "L1C"


def test_l1b_is_one_detector_on_its_own_grid(tmp_path):
    path = write(tmp_path / "p", RADIANCE, level="L1B")
    with pytest.raises(SceneError, match=r"not registered.*detector=vnir"):
        open_scene(path)
    for name, behind in (("vnir", 0), ("swir", SHIFT)):
        mine = ENMAP.detector == name
        scene = open_scene(path, options={"detector": name})
        check_scene(scene)
        assert np.allclose(scene.wavelength, ENMAP.wavelength[mine])
        assert (scene.detector == name).all()
        expected = np.full(RADIANCE[mine].shape, np.nan, np.float32)
        expected[:, behind:] = RADIANCE[mine][:, : HEIGHT - behind]
        expected[DEAD[mine]] = np.nan
        found = scene.spectra.values
        assert (np.isnan(found) == np.isnan(expected)).all()
        assert np.nanmax(np.abs(found - expected)) < 1.01e-5
        assert scene.rio.crs is None, "the fit to the corners is no georeferencing"
        assert (float(scene.x[0]), float(scene.y[-1])) == (0.5, HEIGHT - 0.5)
        assert scene.attrs["detector"] == name
        assert ("CLOUD" in scene.attrs["quality_source"]) == (name == "vnir"), "the layers are on the VNIR's grid"
        assert f"TESTFLAGS_{name.upper()}" in scene.attrs["quality_source"]
        assert np.array_equal(scene.quality.values == Quality.NODATA, np.isnan(expected).all(axis=0))
    by_name = open_scene(path / f"{STEM.format(level='L1B')}-SPECTRAL_IMAGE_SWIR.TIF")
    assert by_name.attrs["detector"] == "swir"


def test_detector_is_for_l1b_only(folder):
    with pytest.raises(ConfigError, match="overlap says"):
        open_scene(folder, options={"detector": "vnir"})


def test_names_of_projections():
    assert [epsg_of(n) for n in ("UTM_Zone7_South", "UTM_Zone60_North", "LAEA-ETRS89", "Geographic", "NA")] == [
        32707, 32660, 3035, 4326, None]  # fmt: skip


def test_blocks_write_the_same_product(tmp_path, folder):
    blocks = (TRUTH[:, row : row + 16] for row in range(0, HEIGHT, 16))
    again = write(tmp_path / "p", blocks, shape=(HEIGHT, WIDTH))
    for path in folder.iterdir():
        if path.suffix == ".TIF":
            with rasterio.open(path) as a, rasterio.open(again / path.name) as b:
                assert np.array_equal(a.read(), b.read())
    with pytest.raises(ConfigError, match="46 rows"):
        write(tmp_path / "short", iter([TRUTH[:, :5]]), shape=(HEIGHT, WIDTH))


def test_synthesize_writes_what_is_read_back(tmp_path, folder):
    scene = open_scene(folder, options=BOTH)
    again = open_scene(EnmapReader.synthesize(tmp_path / "again.tar", scene), options=BOTH)
    assert np.allclose(again.spectra, scene.spectra, atol=1e-6, equal_nan=True)
    assert again.rio.transform() == scene.rio.transform()


def test_exports_of_other_programs_are_left_to_their_readers(data_dir):
    for name, reader, options in (
        ("enmap_potsdam_l2a/enmap_potsdam_tile_96_0.tif", "geotiff", None),
        ("enmap_potsdam_l2a/enmap_potsdam_mosaic_int16.tif", "geotiff", {"scale": 1e-4}),
        ("enmap_berlin_simulated/EnMAP_BerlinUrbanGradient_177b.bsq", "envi", None),
    ):
        path = data_dir / "georef" / name
        assert EnmapReader().score(path) == EnmapReader().score(path.parent) == 0
        assert find_reader(path)[0] == reader
        assert open_scene(path, options=options).sizes["band"] > 170
