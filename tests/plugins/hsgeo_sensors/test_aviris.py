"""AVIRIS in ENVI files: known values at known pixels of a turned grid, the tables beside Classic, what is refused."""

import json
import shutil

import numpy as np
import pytest
import rasterio
import xarray as xr
from click.testing import CliRunner
from hsgeo_sensors.aviris.envi import Image
from hsgeo_sensors.aviris.reader import AvirisReader
from hsgeo_sensors.aviris.sides import overlapped, spectrometers
from hsgeo_sensors.aviris.writer import classic_bands, write_aviris, write_observation
from hsgeo_sensors.envi.header import EnviHeader
from hsgeo_sensors.envi.reader import EnviReader
from rasterio.transform import Affine

from hsgeo import api
from hsgeo.cli.info import info
from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.scene import check_scene, find_reader, open_scene

TURNED = Affine.translation(733200.25, 4055322.75) @ Affine.rotation(-50) @ Affine.scale(5.1, -5.1)
NG = "ang20220224t210144_rfl_v2aa1_img"
CLASSIC = "f201013t01p00r10rdn_e_sc01_ort_img"
AV3 = "AV320231005t181518_L2A_OE_main_98b13fff_RFL_ORT"
ANGLES = {"view_azimuth": 101.5, "view_zenith": 7.25, "sun_azimuth": 163.0, "sun_zenith": 46.5}


@pytest.fixture(scope="module")
def cube():
    """Reflectance: 40 bands, 13 x 9 pixels, each number different, a void strip and a lone missing band."""
    band, y, x = np.meshgrid(np.arange(40), np.arange(13), np.arange(9), indexing="ij")
    values = (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)
    values[:, :, 0] = np.nan
    values[7, 4, 5] = np.nan
    return values


@pytest.fixture(scope="module")
def straight():
    return np.linspace(380.0, 2500.0, 40), np.full(40, 5.75)


@pytest.fixture
def ng(cube, straight, tmp_path):
    wavelength, fwhm = straight
    return write_aviris(tmp_path / NG, cube, wavelength=wavelength, fwhm=fwhm, crs=32610, transform=TURNED)


@pytest.fixture
def classic(cube, tmp_path):
    wavelength, fwhm = classic_bands(40)
    return write_aviris(
        tmp_path / CLASSIC,
        cube,
        wavelength=wavelength,
        fwhm=fwhm,
        flavour="classic-radiance",
        crs=32610,
        transform=TURNED,
    )


def assert_right(scene, values, tolerance=1e-6):
    """Values at known pixels, and where those pixels lie."""
    check_scene(scene)
    assert scene.spectra.shape[1:] == (13, 9)
    found = scene.sortby("band").spectra
    for band, y, x in ((0, 0, 1), (39, 12, 8), (7, 4, 5), (20, 3, 7), (21, 12, 0)):
        assert np.isclose(found.values[band, y, x], values[band, y, x], rtol=0, atol=tolerance, equal_nan=True)
    transform = scene.rio.transform()
    for row, column in ((0, 0), (12, 0), (5, 8)):
        place, want = transform * (column + 0.5, row + 0.5), TURNED * (column + 0.5, row + 0.5)
        assert np.allclose(place, want, rtol=0, atol=1e-6)
    assert scene.rio.crs.to_epsg() == 32610
    assert scene.x.values.tolist() == list(range(9))  # a turned grid has no coordinates along its axes


def test_ng(ng, cube, straight):
    scene = open_scene(ng)
    assert_right(scene, cube)
    with xr.open_dataset(ng, engine="hsgeo", cache=False) as again:
        assert_right(again, cube)
    assert np.array_equal(scene.spectra, cube, equal_nan=True)
    assert np.allclose(scene.wavelength, straight[0], atol=1e-6)
    assert np.allclose(scene.fwhm, 5.75)
    assert str(scene.time.values).startswith("2022-02-24T21:01:44")
    assert scene.attrs["sensor"] == "AVIRIS-NG"
    assert scene.attrs["processing_level"] == "L2A"
    said = json.loads(CliRunner().invoke(info, [str(ng), "--json"], catch_exceptions=False).output)
    assert said["sensor"] == "AVIRIS-NG"
    assert np.allclose(said["transform"][:6], TURNED[:6], rtol=0, atol=1e-6)


def _read(window):
    def read(self, bands, rows, cols):
        turned = window(KEPT(self, bands, (0, self.shape[1]), (0, self.shape[2])))
        return np.ascontiguousarray(turned[:, slice(*rows), slice(*cols)])

    return read


KEPT = Image.window
LIARS = {
    "transposed": (Image, "window", _read(lambda v: v.reshape(v.shape[0], *v.shape[:0:-1]).transpose(0, 2, 1))),
    "flipped": (Image, "window", _read(lambda v: v[:, ::-1])),
    "mirrored": (Image, "window", _read(lambda v: v[:, :, ::-1])),
    "half a pixel": (EnviHeader, "transform", lambda self: TURNED @ Affine.translation(0.5, 0.5)),
    "not turned": (EnviHeader, "transform", lambda self: Affine(5.1, 0, TURNED.c, 0, -5.1, TURNED.f)),
}


@pytest.mark.parametrize("liar", LIARS)
def test_planted_readers_are_caught(liar, ng, cube, monkeypatch):
    assert_right(open_scene(ng), cube)
    monkeypatch.setattr(*LIARS[liar])
    with pytest.raises(AssertionError):
        assert_right(open_scene(ng), cube)


def test_gdal_puts_the_corners_where_we_do(ng, classic):
    for path in (ng, classic):
        with rasterio.open(path) as file:
            assert file.transform.almost_equals(open_scene(path).rio.transform(), precision=1e-6)


def test_classic_radiance(classic, cube):
    assert rasterio.open(classic).read(1)[0, 0] == -50  # the fill that its header does not say
    assert "ignore" not in classic.with_name(CLASSIC + ".hdr").read_text()
    scene = open_scene(classic, options={"overlap": "both"})
    assert_right(scene, cube, tolerance=0.5 / 300 + 1e-6)  # half a stored number at the smallest factor
    for name in ("detector", "fwhm"):
        scene = scene.assign_coords({name: scene[name].compute()})
    found, step = scene.sortby("band").spectra.values, 0.5 / 300 + 1e-6
    assert np.allclose(found, cube, rtol=0, atol=step, equal_nan=True)
    assert scene.spectra.attrs["quantity"] == "radiance"
    assert scene.spectra.attrs["units"] == "uW cm-2 nm-1 sr-1"
    assert scene.spectra.attrs["scale_source"] == "f201013t01p00r10rdn_e.gain"
    assert (np.diff(scene.wavelength) > 0).all()
    assert scene.detector.values.tolist().count("B") == 11
    assert "time" not in scene.coords  # only the day stands in the name, and midnight would be wrong
    assert scene.attrs["acquisition_days"] == "2020-10-13"
    said = json.loads(CliRunner().invoke(info, [str(classic), "--json"], catch_exceptions=False).output)
    assert said["time"] == "2020-10-13"


def test_overlap_of_the_spectrometers(classic):
    wavelength, _ = classic_bands(40)
    label = spectrometers(wavelength)
    assert "".join(label).count("A") == 6
    assert (np.diff(wavelength) < 0).sum() == 3
    longer, shorter = open_scene(classic), open_scene(classic, options={"overlap": "shorter"})
    assert len(longer.band) < 40 > len(shorter.band)
    assert longer.sel(wavelength=660, method="nearest").detector == "B"
    assert shorter.sel(wavelength=660, method="nearest").detector == "A"
    for scene, how in ((longer, "longer"), (shorter, "shorter")):
        assert sorted(scene.band.values) == (np.flatnonzero(~overlapped(wavelength, label, how)) + 1).tolist()
        order = scene.detector.values.tolist()
        assert order == sorted(order)  # no interleaving is left
    with pytest.raises(ConfigError, match="overlap"):
        open_scene(classic, options={"overlap": "vnir"})


def test_the_real_joins_of_classic():
    wavelength, _ = classic_bands()
    assert wavelength.size == 224
    assert np.flatnonzero(np.diff(wavelength) < 0).tolist() == [31, 95, 159]
    assert spectrometers(np.sort(wavelength)) is None
    assert spectrometers(wavelength[::-1]) is None


def test_centres_from_the_spc_file(cube, tmp_path):
    wavelength, fwhm = classic_bands(40)
    how = {"wavelength": wavelength, "fwhm": fwhm, "flavour": "classic-radiance"}
    path = write_aviris(tmp_path / CLASSIC, cube, **how, centres_in="spc")
    scene = open_scene(path, options={"overlap": "both"}).sortby("band")
    assert np.allclose(scene.wavelength, wavelength, atol=1e-4)
    assert np.allclose(scene.fwhm, fwhm, atol=1e-4)
    assert scene.spectra.attrs["wavelength_source"] == "f201013t01p00r10rdn_e.spc"
    assert "spatial_ref" not in scene.coords  # without map info nothing is invented
    table = tmp_path / "f201013t01p00r10rdn_e.spc"
    moved = table.rename(tmp_path / "centres.txt")
    with pytest.raises(SceneError, match=r"no wavelengths"):
        open_scene(path)
    assert np.allclose(
        open_scene(path, options={"spc": moved, "overlap": "both"}).wavelength, np.sort(wavelength), atol=1e-4
    )


def test_classic_reflectance(cube, tmp_path):
    wavelength, fwhm = classic_bands(40)
    bands = {"wavelength": wavelength, "fwhm": fwhm, "transform": TURNED, "crs": 32610}
    name = "f201013t01p00r10_corr_v1l1_img"
    plain = write_aviris(tmp_path / name, cube, **bands, flavour="classic")
    assert_right(open_scene(plain, options={"overlap": "both"}), cube)
    scaled = write_aviris(tmp_path / name, cube, **bands, flavour="classic-scaled")
    assert rasterio.open(scaled).dtypes[0] == "int16"
    scene = open_scene(scaled, options={"overlap": "both"})
    assert_right(scene, cube, tolerance=0.5e-4 + 1e-6)
    assert "reflectance scale factor" in scene.spectra.attrs["scale_source"]
    silent = write_aviris(tmp_path / name, cube, **bands, flavour="classic-scaled", say_scale=False)
    with pytest.warns(HsgeoWarning, match="scale=1e-4"):
        open_scene(silent)
    assert_right(open_scene(silent, options={"overlap": "both", "scale": 1e-4}), cube, tolerance=0.5e-4 + 1e-6)


def test_av3_with_bad_bands_and_uncertainty(cube, straight, tmp_path):
    wavelength, fwhm = straight
    bbl = np.ones(40)
    bbl[17:21] = 0
    how = {"wavelength": wavelength, "fwhm": fwhm, "flavour": "av3", "crs": 32610, "transform": TURNED}
    path = write_aviris(tmp_path / AV3, cube, **how, bbl=bbl)
    assert "spectra_std" not in open_scene(path)
    write_aviris(tmp_path / AV3.replace("RFL", "UNC"), cube / 8, **how)
    scene = open_scene(path)
    assert_right(scene, cube)
    assert np.flatnonzero(~scene.good).tolist() == [17, 18, 19, 20]
    assert np.array_equal(scene.spectra_std, cube / 8, equal_nan=True)
    assert scene.attrs["std_source"] == AV3.replace("RFL", "UNC")
    assert scene.attrs["sensor"] == "AVIRIS-3"
    assert "spectra_std" not in open_scene(path, options={"uncertainty": "none"})
    write_aviris(tmp_path / AV3.replace("RFL", "UNC"), cube[:, :12], **how)
    with pytest.raises(SceneError, match=r"uncertainty of this image.*uncertainty=none"):
        open_scene(path)
    other = write_aviris(tmp_path / "AV320231006t101010_L2A_OE_main_1_UNC_ORT", cube, **how)
    with pytest.raises(SceneError, match="AV320231006t101010"):
        open_scene(path, options={"uncertainty": other})


def test_angles_from_the_observation_file_of_the_sister_folder(cube, straight, tmp_path):
    wavelength, fwhm = straight
    folders = [tmp_path / f"ang20220224t210144_{kind}_v2aa1" for kind in ("rfl", "rdn")]
    for folder in folders:
        folder.mkdir()
    path = write_aviris(folders[0] / NG, cube, wavelength=wavelength, fwhm=fwhm, crs=32610, transform=TURNED)
    where = {"angles": ANGLES, "hour": 21.5, "shape": (13, 9)}
    write_observation(folders[1] / "ang20220224t210144_rdn_v2aa1_obs_ort", **where)
    scene = open_scene(path)
    assert {name: float(scene[name]) for name in ANGLES} == pytest.approx(ANGLES)
    assert scene.attrs["angles_source"] == "ang20220224t210144_rdn_v2aa1_obs_ort"
    void = np.ones((13, 9), bool)
    void[:, 7:] = False  # the centre is outside the flight line: the nearest valid column is 7
    write_observation(folders[1] / "ang20220224t210144_rdn_v2aa1_obs_ort", **where, void=void)
    assert float(open_scene(path).sun_zenith) == pytest.approx(46.5 + 0.003)
    write_observation(folders[1] / "ang20220224t210144_rdn_v2aa1_obs_ort", angles=ANGLES, hour=1.0, shape=(14, 9))
    assert "14 x 9" in open_scene(path).attrs["angles_source"]
    with pytest.raises(SceneError, match="14 x 9"):
        open_scene(path, options={"observation": folders[1] / "ang20220224t210144_rdn_v2aa1_obs_ort"})


def test_hour_of_classic_from_the_observation_file(classic):
    write_observation(classic.with_name("f201013t01p00r10rdn_e_obs_ort"), angles=ANGLES, hour=19.75, shape=(13, 9))
    scene = open_scene(classic)
    assert str(scene.time.values).startswith("2020-10-13T19:45:00")
    assert "acquisition_days" not in scene.attrs


def test_scores(ng, classic, cube, straight, tmp_path):
    for path in (ng, classic, ng.with_name(NG + ".hdr")):
        assert (AvirisReader().score(path), EnviReader().score(path)) == (2, 1)
        assert find_reader(path)[0] == "aviris"
    renamed = tmp_path / "cuprite.img"
    shutil.copy(ng, renamed)
    shutil.copy(ng.with_name(NG + ".hdr"), tmp_path / "cuprite.img.hdr")
    assert find_reader(renamed)[0] == "aviris"  # its header says the instrument
    assert np.array_equal(open_scene(renamed).spectra, cube, equal_nan=True)
    header = tmp_path / "cuprite.img.hdr"
    header.write_text(header.read_text().replace("sensor type = AVIRIS-NG", "sensor type = Unknown"))
    assert find_reader(renamed)[0] == "envi"
    assert AvirisReader().score(classic.with_name("f201013t01p00r10rdn_e.gain")) == 0


def test_a_folder_and_its_two_products(ng, cube, straight, tmp_path):
    folder = tmp_path / "ang20220224t210144_v2aa1"
    folder.mkdir()
    for suffix in ("", ".hdr"):
        shutil.move(tmp_path / (NG + suffix), folder / (NG + suffix))
    write_observation(folder / "ang20220224t210144_rdn_v2aa1_obs_ort", angles=ANGLES, hour=1.0, shape=(13, 9))
    assert_right(open_scene(folder), cube)
    write_aviris(folder / NG.replace("rfl", "rdn"), cube, wavelength=straight[0], fwhm=straight[1])
    with pytest.raises(SceneError, match=r"2 AVIRIS cubes.*_rdn_.*_rfl_.*Name the file"):
        open_scene(folder)
    with pytest.raises(SceneError, match=r"observation geometry.*Open .*_rdn_"):
        open_scene(folder / "ang20220224t210144_rdn_v2aa1_obs_ort")


def _shorten(path):
    path.write_bytes(path.read_bytes()[:-100])


def _edit(old, new):
    def edit(path):
        header = path.with_name(path.name + ".hdr")
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new, 1))

    return edit


def _gain(text):
    return lambda path: path.with_name("f201013t01p00r10rdn_e.gain").write_text(text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_shorten, "bytes.*complete data file"),
        (lambda path: path.with_name(path.name + ".hdr").unlink(), "no header"),
        (lambda path: path.with_name("f201013t01p00r10rdn_e.gain").unlink(), "no .gain file.*gain=PATH"),
        (_gain("300 1\n300 2\n"), "2 rows of gain for 40 bands"),
        (_gain("three hundred\n" * 40), "no gain table"),
        (_gain("".join(f"{0 if k == 3 else 300} {k + 1}\n" for k in range(40))), "not positive"),
        (_gain("".join(f"300 {40 - k}\n" for k in range(40))), "out of order"),
        (_edit("data type = 2", "data type = 6"), "data type 6"),
        (_edit("bands = 40", "bands = 39"), "40 values of wavelength for 39 bands"),
        (_edit("bands = 40\n", ""), "lacks 'bands'"),
        (_edit("map info = {UTM, 1, 1,", "map info = {UTM, one, 1,"), "map info"),
    ],
)
def test_broken_files(damage, words, classic):
    damage(classic)
    assert AvirisReader().score(classic) == 2
    with pytest.raises(SceneError, match=words):
        open_scene(classic)


def test_a_packed_granule_is_refused(tmp_path):
    packed = tmp_path / "ang20220224t210144rfl.tar.gz"
    packed.write_bytes(b"\x1f\x8b" + bytes(30))
    with pytest.raises(SceneError, match="packed AVIRIS granule"):
        AvirisReader().open(packed)


@pytest.mark.filterwarnings("ignore:.*(noise|bands|sample).*")
def test_unmix_keeps_the_turned_grid(tmp_path):
    rng = np.random.default_rng(4)
    wavelength = np.linspace(450.0, 2400.0, 24)
    E = np.stack([0.2 + 0.3 * np.sin(wavelength / 400 + k * 2) ** 2 for k in range(3)], axis=1)
    A = rng.dirichlet(np.full(3, 0.4), 13 * 21)
    cube = (A @ E.T).T.reshape(24, 13, 21) + rng.normal(0, 5e-4, (24, 13, 21))
    path = write_aviris(tmp_path / NG, cube, wavelength=wavelength, fwhm=np.full(24, 9.0), crs=32610, transform=TURNED)
    library = xr.Dataset(
        {"spectra": (("spectrum", "band"), E.T.astype(np.float32))},
        {"name": ("spectrum", list("abc")), "wavelength": ("band", wavelength), "fwhm": ("band", np.full(24, 9.0))},
    )
    product = api.unmix(open_scene(path), recipe="classical", endmembers=library, notice=lambda text: None)
    for name in ("abund.zarr", "abund.tif"):
        api.write(product, tmp_path / name)
    back = api.open_product(tmp_path / "abund.zarr")
    assert back.rio.transform().almost_equals(TURNED, precision=1e-6)
    assert back.rio.crs.to_epsg() == 32610
    with rasterio.open(tmp_path / "abund.tif") as cog:
        assert cog.transform.almost_equals(TURNED, precision=1e-6)
        assert cog.crs.to_epsg() == 32610
        found = cog.read()
    assert np.allclose(found, back.abundance, equal_nan=True)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    assert np.abs(found.reshape(3, -1).T - A).max() < 0.05


def test_synthesize(cube, straight, ng, tmp_path):
    scene = open_scene(ng)
    for name in ("scene.img", "scene.nc"):
        if name == "scene.nc":
            scene = scene.drop_vars(("x", "y")).rio.write_transform(Affine(5.0, 0, 4e5, 0, -5.0, 4e6))
        made = AvirisReader.synthesize(tmp_path / name, scene)
        assert find_reader(made)[0] == "aviris"
        again = open_scene(made)
        assert np.array_equal(again.spectra, cube, equal_nan=True)
        assert again.rio.transform().almost_equals(scene.rio.transform(), precision=1e-6)
