"""DESIS L1C and L2A: known values at known pixels, the grid, the quality bits, what is refused."""

import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
import rasterio
import xarray as xr
from hsgeo_sensors.desis import reader as desis
from hsgeo_sensors.desis.raster import Cube
from hsgeo_sensors.desis.reader import DesisReader
from hsgeo_sensors.desis.writer import write_desis

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.scene import check_scene, find_reader, sensor
from hsgeo.scene import open_scene as open_chunked

open_scene = partial(open_chunked, chunks=None)  # hundreds of tiny chunks would only take time
BANDS = 60  # of the 4 x binning: neither rows nor columns
SHAPE = (23, 31)
ORIGIN = (600015.0, 4500015.0)
WAVELENGTH = sensor("desis").wavelength[:240:4][:BANDS]
WAVELENGTH = np.r_[WAVELENGTH, 998.0][:BANDS]
FWHM = np.linspace(9.6, 10.8, BANDS)
GAIN = 8e-4 * (1 + np.arange(BANDS) / 50)  # radiance: every band has its own
OFFSET = -0.05 + 0.001 * np.arange(BANDS)
STEM = "DESIS-HSI-{}-DT0782910452_013-20220724T104526-V0220"
BITS = {
    "shadow": Quality.CLOUD_SHADOW,
    "snow": Quality.SNOW,
    "cloud_land": Quality.CLOUD,
    "cloud_water": Quality.CLOUD,
    "haze_land": Quality.CIRRUS,
    "haze_water": Quality.CIRRUS,
    "water": 0,
}


@pytest.fixture(scope="module")
def cube():
    """Each number another; padding at the left, a lone gap, a negative."""
    band, y, x = np.meshgrid(np.arange(BANDS), np.arange(23), np.arange(31), indexing="ij")
    values = (0.05 + band / 130 + y / 97 + x / 211).astype(np.float64)
    values[:, :, :4] = np.nan
    values[40, 11, 15] = np.nan
    values[30, 10, 15] = -0.01
    return values


@pytest.fixture(scope="module")
def flags():
    """One flag in each column, in row 6; in row 7 of the padding, which is nothing but padding."""
    out = {name: np.zeros(SHAPE, bool) for name in BITS}
    for column, name in enumerate(BITS, start=10):
        out[name][6, column] = True
    out["cloud_land"][7, 2] = True
    return out


def write(where, cube, level="L2A", **how):
    bands = {"wavelength": WAVELENGTH, "fwhm": FWHM}
    scale = {} if level == "L2A" else {"gain": GAIN, "offset": OFFSET}
    return write_desis(where, cube, level=level, origin=ORIGIN, **bands, **scale, **how)


@pytest.fixture(scope="module")
def l2a(cube, flags, tmp_path_factory):
    return write(tmp_path_factory.mktemp("desis") / "L2A", cube, flags=flags)


@pytest.fixture(scope="module")
def l1c(cube, tmp_path_factory):
    return write(tmp_path_factory.mktemp("desis") / "L1C", cube, "L1C")


@pytest.fixture
def copy(l2a, tmp_path):
    return shutil.copytree(l2a, tmp_path / "copy")


def image(level="L2A"):
    return f"{STEM.format(level)}-SPECTRAL_IMAGE.tif"


def described(level="L2A"):
    return f"{STEM.format(level)}-METADATA.xml"


def assert_true(scene, cube, step):
    """Say whether every number is where it belongs, on the ground and in the spectrum."""
    found = scene.spectra.values
    assert found.shape == cube.shape
    assert (scene.x.values[0], scene.y.values[0]) == ORIGIN
    assert (np.isnan(found) == np.isnan(cube)).all()
    assert np.nanmax(np.abs(found - cube)) < 0.501 * step
    assert float(scene.spectra.sel(band=20, x=600015 + 30 * 20, y=4500015 - 30 * 13)) == pytest.approx(
        cube[19, 13, 20], abs=0.501 * step
    )
    assert np.allclose(scene.wavelength, WAVELENGTH, atol=1e-4)
    assert np.allclose(scene.fwhm, FWHM, atol=1e-4)
    assert scene.rio.crs.to_epsg() == 32632
    assert scene.spatial_ref.attrs["GeoTransform"].split() == ["600000.0", "30.0", "0.0", "4500030.0", "0.0", "-30.0"]


def test_reflectance(l2a, cube):
    for scene in (open_scene(l2a), xr.open_dataset(l2a / image(), engine="hsgeo")):
        check_scene(scene)
        assert_true(scene, cube, 1e-4)
        assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("reflectance", "1")
    assert (scene.attrs["sensor"], scene.attrs["processing_level"]) == ("DESIS", "L2A")
    assert scene.attrs["product_id"] == STEM.format("L2A")
    assert str(scene.time.values) == "2022-07-24T10:45:26.173541000"
    assert {n: float(scene[n]) for n in ("sun_zenith", "sun_azimuth", "view_zenith")} == {
        "sun_zenith": 27.25, "sun_azimuth": 151.75, "view_zenith": 12.5,
    }  # fmt: skip
    assert "view_azimuth" not in scene.coords  # the product's azimuth means another thing in every level
    assert scene.attrs["scene_azimuth_angle"] == 307.9


def test_an_order_unpacked_by_hand_opens_by_its_outer_folder(l2a, cube, tmp_path):
    shutil.copytree(l2a, tmp_path / "dims_op_1/DESIS.HSI.L2A/order/product")
    assert DesisReader().score(tmp_path / "dims_op_1") == 2
    assert_true(open_scene(tmp_path / "dims_op_1"), cube, 1e-4)


def test_radiance(l1c, cube):
    scene = open_scene(l1c)
    assert_true(scene, cube, GAIN.max())
    assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("radiance", "mW cm-2 sr-1 um-1")
    assert scene.attrs["processing_level"] == "L1C"
    assert set(np.unique(scene.quality)) == {0, 1}
    assert scene.attrs["quality_source"].startswith("the fill value; no QL_QUALITY-2")


def test_sensor_grid(cube, tmp_path):
    scene = open_scene(write(tmp_path / "L1B", cube, "L1B"))
    assert np.nanmax(np.abs(scene.spectra - cube)) < 0.501 * GAIN.max()
    assert "spatial_ref" not in scene.coords  # no CRS is invented
    assert "sensor grid" in scene.attrs["georeferencing"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda values: np.resize(values.transpose(0, 2, 1), values.shape),
        lambda values: values[:, ::-1],
        lambda values: values[:, :, ::-1],
        lambda values: values[::-1],
    ],
    ids=["transposed", "north-south", "east-west", "bands"],
)
def test_planted_errors_in_pixels_are_seen(wrong, l2a, cube, monkeypatch):
    honest = Cube.window
    monkeypatch.setattr(Cube, "window", lambda *args: wrong(honest(*args)))
    with pytest.raises(AssertionError):
        assert_true(open_scene(l2a), cube, 1e-4)


def test_a_planted_half_pixel_is_seen(l2a, cube, monkeypatch):
    honest = desis.look_at

    def shifted(path, about, **how):
        found = honest(path, about, **how)
        return found._replace(transform=found.transform.translation(15, 0) @ found.transform)

    monkeypatch.setattr(desis, "look_at", shifted)
    with pytest.raises(AssertionError):
        assert_true(open_scene(l2a), cube, 1e-4)


@pytest.mark.parametrize("haze", [False, True])
def test_quality(haze, l2a, cube):
    scene = open_scene(l2a, options={"haze": haze})
    quality = scene.quality.values
    assert scene.attrs["quality_source"] == f"{STEM.format('L2A')}-QL_QUALITY-2.tif"
    for column, (name, bit) in enumerate(BITS.items(), start=10):
        assert quality[6, column] == (bit if haze or not name.startswith("haze") else 0), name
    assert ((quality & Quality.NODATA) > 0).tolist() == np.isnan(cube).all(axis=0).tolist()
    assert quality[7, 2] == Quality.NODATA
    assert not quality[8:, 4:].any()


def test_mask_of_another_file(l2a, l1c, copy, tmp_path):
    layers = l2a / f"{STEM.format('L2A')}-QL_QUALITY-2.tif"
    given = open_scene(l1c, options={"mask": str(layers)})
    assert np.array_equal(given.quality, open_scene(l2a).quality)
    assert set(np.unique(open_scene(l2a, options={"mask": "none"}).quality)) == {0, 1}
    with pytest.raises(SceneError, match="is no file"):
        open_scene(l1c, options={"mask": tmp_path / "gone.tif"})
    with pytest.raises(ConfigError, match="cloud"):
        open_scene(l1c, options={"cloud": "none"})
    for change, words in (
        ({"height": 24}, r"10 layers of \(24, 31\)"),
        ({"count": 7}, "7 layers"),
        ({"dtype": "float32"}, "float32"),
        ({"transform": rasterio.Affine(30, 0, 600030, 0, -30, 4500030)}, "elsewhere"),
    ):
        rewrite(copy / layers.name, **change)
        with pytest.raises(SceneError, match=words):
            open_scene(copy)
        shutil.copy(layers, copy / layers.name)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_archives(suffix, l2a, cube, flags, tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    packed = write(tmp_path / f"delivery{suffix}", cube, flags=flags)  # a name that says nothing
    scene, plain = open_scene(packed), open_scene(l2a)
    assert np.array_equal(scene.spectra, plain.spectra, equal_nan=True)
    assert np.array_equal(scene.quality, plain.quality)
    assert scene.attrs["product_id"] == STEM.format("L2A")


def test_order_of_bands_is_by_their_numbers(copy, cube):
    file = copy / described()
    head, rest = file.read_text().split("<bandCharacterisation>")
    bands, tail = rest.split("</bandCharacterisation>")
    turned = "</band>".join([*reversed(bands.split("</band>")[:-1]), ""])
    file.write_text(f"{head}<bandCharacterisation>{turned}</bandCharacterisation>{tail}")
    assert_true(open_scene(copy), cube, 1e-4)


def test_blocks_and_what_the_writer_refuses(l2a, cube, flags, tmp_path):
    blocks = (cube[:, row : row + 5] for row in range(0, 23, 5))
    again = write(tmp_path / "again", blocks, shape=SHAPE, flags=flags)
    assert np.array_equal(open_scene(again).spectra, open_scene(l2a).spectra, equal_nan=True)
    assert (again / described()).read_bytes() == (l2a / described()).read_bytes()
    for change, words in (
        ({"shape": SHAPE, "spectra": iter([cube[:, :5]])}, "rows"),
        ({"flags": {"fog": flags["snow"]}}, "fog"),
        ({"fwhm": FWHM[:3]}, "widths"),
    ):
        how = {"spectra": cube, "wavelength": WAVELENGTH, "fwhm": FWHM, **change}
        with pytest.raises(ConfigError, match=words):
            write_desis(tmp_path / "wrong", **how)


def test_synthesize(l2a, cube, tmp_path):
    scene = open_scene(l2a)
    again = open_scene(DesisReader.synthesize(tmp_path / "again", scene))
    assert_true(again, cube, 1e-4)


def rewrite(file, **how):
    with rasterio.open(file) as source:
        profile, values = {**source.profile, **how}, source.read()
    with rasterio.open(file, "w", **profile) as out:
        out.write(np.resize(values, (out.count, *out.shape)).astype(profile["dtype"]))


def _xml(old, new):
    def damage(folder):
        file = folder / described()
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return damage


def _cut(name):
    def damage(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / image()).unlink(), r"lacks the SPECTRAL_IMAGE\.tif"),
        (lambda folder: (folder / described()).unlink(), r"lacks the METADATA\.xml"),
        (_cut(described()), "not complete XML"),
        (_xml("bandCharacterisation>", "bandList>"), "not complete XML"),
        (lambda f: (_xml("<bandCh", "<bandL")(f), _xml("</bandCh", "</bandL")(f)), "0 lists of bands"),
        (_xml("<gainOfBand>0.0001</gainOfBand>", ""), "lacks band/gainOfBand"),
        (_xml("<gainOfBand>0.0001</gainOfBand>", "<gainOfBand>0</gainOfBand>"), "a gain of 0"),
        (_xml("<offsetOfBand>0.0</offsetOfBand>", "<offsetOfBand>x</offsetOfBand>"), "offsetOfBand.*finite number"),
        (_xml("<bandNumber>2</bandNumber><wave", "<bandNumber>1</bandNumber><wave"), "numbers its 60 bands"),
        (_xml("<productType>L2A", "<productType>L1C"), "describes a product of level L1C"),
        (_xml("<latitude>40.", "<latitude>43."), "bounding polygon"),
        (lambda folder: rewrite(folder / image(), count=59), "lists 60 bands, .* has 59"),
        (lambda folder: rewrite(folder / image(), dtype="float32"), "float32"),
        (lambda folder: rewrite(folder / image(), crs=None), "no map grid"),
        (lambda folder: (folder / image()).write_bytes(b"II*\0 no"), "no readable TIFF"),
    ],
)
def test_broken_products(damage, words, copy):
    damage(copy)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)


def test_two_products_in_one_folder(l1c, copy, cube):
    for file in l1c.iterdir():
        shutil.copy(file, copy)
    with pytest.raises(SceneError, match="holds 2 products"):
        open_scene(copy)
    assert_true(open_scene(copy / image("L2A")), cube, 1e-4)
    assert_true(open_scene(copy / described("L1C")), cube, GAIN.max())


def test_other_levels(copy):
    for file in list(copy.iterdir()):
        file.rename(copy / file.name.replace("-L2A-", "-L1A-"))
    assert DesisReader().score(copy) == 2
    with pytest.raises(SceneError, match=r"is of level L1A.*L2A"):
        open_scene(copy)


def test_an_order_is_claimed_by_its_sensor_alone(l2a, cube, tmp_path, monkeypatch):
    """Orders of DESIS and EnMAP have the same names; what is inside tells whose it is."""
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    inner = tmp_path / f"{image().rpartition('-')[0]}.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        for file in l2a.iterdir():
            archive.write(file, file.name)
    for name, member in (("dims_op_oc_1.zip", inner.name), ("dims_op_oc_2.zip", None)):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in [inner] if member else l2a.iterdir():
                archive.write(file, f"dims_op_oc/{file.name}")
        assert find_reader(tmp_path / name)[0] == "desis"
        assert_true(open_scene(tmp_path / name), cube, 1e-4)
