"""ENVI: every storage variant gives the same scene; headers that say little, and those that are wrong."""

import gzip

import numpy as np
import pytest
import rasterio
from hsgeo_sensors.envi.header import EnviHeader
from hsgeo_sensors.envi.raster import Raster
from hsgeo_sensors.envi.writer import write_envi
from rasterio.transform import Affine

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.scene import check_scene, open_scene

UP = Affine(30, 0, 400020, 0, -30, 5800050)
TURNED = Affine.translation(400020, 5800050) @ Affine.rotation(-30) @ Affine.scale(10, -10)


def check_values(scene, small):
    values, wavelength = small
    check_scene(scene)
    order = np.argsort(wavelength)
    assert scene.wavelength.values.tolist() == sorted(wavelength)
    assert scene.band.values.tolist() == (order + 1).tolist()
    found = scene.spectra.values
    assert found.dtype == np.float32
    assert np.allclose(found, values[order], atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"big_endian": True, "compress": True},
        {"dtype": "float32", "scale": 1.0, "header_offset": 77, "long_header_name": False},
        {"big_endian": True, "dtype": "float64", "scale": 100.0, "header_offset": 5},
    ],
    ids=["plain", "compressed", "float", "big"],
)
def test_variants(interleave, how, small, tmp_path):
    path = write_envi(
        tmp_path / "scene.img", small[0], wavelength=small[1], interleave=interleave, crs=32633, transform=UP, **how
    )
    header = next(tmp_path.glob("*.hdr"))
    for given in (path, header):
        scene = open_scene(given)
        check_values(scene, small)
        check_place(scene)


def check_place(scene):
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.rio.transform().almost_equals(UP)
    assert (scene.x.values[0], scene.y.values[0]) == (400035, 5800035)


def _whole(turn):
    """A reader that looks at the whole image, and takes it for what it is not."""

    def window(self, bands, rows, cols):
        whole = RIGHT(self, bands, (0, self.shape[1]), (0, self.shape[2]))
        return np.ascontiguousarray(np.resize(turn(whole), whole.shape)[:, slice(*rows), slice(*cols)])

    return window


RIGHT = Raster.window
PLANTS = {
    "transposed": (Raster, "window", _whole(lambda v: v.transpose(0, 2, 1))),
    "north-south": (Raster, "window", _whole(lambda v: v[:, ::-1])),
    "east-west": (Raster, "window", _whole(lambda v: v[:, :, ::-1])),
    "half a pixel": (EnviHeader, "transform", lambda self: UP @ Affine.translation(-0.5, -0.5)),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_readers_are_caught(plant, small, tmp_path, monkeypatch):
    path = write_envi(tmp_path / "scene.img", small[0], wavelength=small[1], crs=32633, transform=UP)
    monkeypatch.setattr(*PLANTS[plant])
    scene = open_scene(path)
    with pytest.raises(AssertionError):
        check_place(scene) if plant == "half a pixel" else check_values(scene, small)


def test_missing_units_mean_micrometres_below_100(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1] / 1000, fwhm=np.full(6, 0.01), units=None)
    scene = open_scene(path)
    assert np.allclose(scene.wavelength, np.sort(small[1]))
    assert np.allclose(scene.fwhm, 10)
    unknown = write_envi(tmp_path / "b", small[0], wavelength=small[1], units="Unknown")
    assert np.allclose(open_scene(unknown).wavelength, np.sort(small[1]))
    odd = write_envi(tmp_path / "c", small[0], wavelength=small[1], units="Wavenumber")
    with pytest.raises(SceneError, match="Wavenumber"):
        open_scene(odd)


def test_rotation_agrees_with_gdal(small, tmp_path):
    path = write_envi(tmp_path / "turned", small[0], wavelength=small[1], crs=32633, transform=TURNED)
    with rasterio.open(path) as file:
        assert file.transform.almost_equals(TURNED, precision=1e-6)
    scene = open_scene(path)
    assert scene.rio.transform().almost_equals(TURNED, precision=1e-6)
    assert scene.x.values.tolist() == list(range(7))
    assert scene.y.values.tolist() == list(range(11))
    assert scene.spectra.attrs["grid_mapping"] == "spatial_ref"


def test_reference_pixel(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1], crs=32633, transform=UP)
    header = tmp_path / "a.hdr"
    text = header.read_text().replace("{UTM, 1, 1, 400020.0, 5800050.0", "{UTM, 1.5, 1.5, 400035.0, 5800035.0")
    assert "1.5, 1.5" in text
    header.write_text(text)
    assert open_scene(path).rio.transform().almost_equals(UP)


def test_utm_from_map_info_alone(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1], crs=32733, transform=UP)
    header = tmp_path / "a.hdr"
    lines = [line for line in header.read_text().splitlines() if not line.startswith("coordinate system")]
    header.write_text("\n".join(lines))
    assert open_scene(path).rio.crs.to_epsg() == 32733


def test_no_georeferencing(small, tmp_path):
    scene = open_scene(write_envi(tmp_path / "a", small[0], wavelength=small[1]))
    check_scene(scene)
    assert "spatial_ref" not in scene.coords
    assert scene.x.values[:2].tolist() == [0.5, 1.5]


def test_bbl_and_default_rule(small, tmp_path):
    said = write_envi(tmp_path / "a", small[0], wavelength=small[1], bbl=[1, 0, 1, 1, 1, 1])
    scene = open_scene(said)
    assert scene.wavelength.values[~scene.good].tolist() == [550]
    silent = write_envi(tmp_path / "b", small[0], wavelength=small[1])
    scene = open_scene(silent)
    assert scene.wavelength.values[~scene.good].tolist() == [1400]


def test_gain_and_offset(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1], say_scale=False)
    with (tmp_path / "a.hdr").open("a") as header:
        header.write("data gain values = {" + ",".join(f"1.{k}e-4" for k in range(6)) + "}\n")
        header.write("data offset values = {0, 0, 0, 0, 0, 0.25}\n")
    scene = open_scene(path).sortby("band")
    expected = small[0] * np.arange(1, 1.6, 0.1)[:6, None, None] + np.array([0, 0, 0, 0, 0, 0.25])[:, None, None]
    assert np.allclose(scene.spectra, expected, atol=1e-6, equal_nan=True)


def test_scale_is_never_silent(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1], say_scale=False)
    with pytest.warns(HsgeoWarning, match="x 10000.*scale=1e-4"):
        scene = open_scene(path)
    check_values(scene, small)
    assert "rule" in scene.spectra.attrs["scale_source"]
    check_values(open_scene(path, options={"scale": 1e-4}), small)  # said: no warning
    percent = write_envi(tmp_path / "b", small[0], wavelength=small[1], scale=100.0, dtype="float32", say_scale=False)
    with pytest.raises(SceneError, match="scale"):
        open_scene(percent)
    assert open_scene(percent, options={"quantity": "radiance"}).spectra.attrs["quantity"] == "radiance"


def test_wavelengths_given(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=None)
    with pytest.raises(SceneError, match=r"no wavelengths.*wavelengths="):
        open_scene(path)
    check_values(open_scene(path, options={"wavelengths": small[1].tolist()}), small)
    table = tmp_path / "bands.csv"
    table.write_text("wavelength,fwhm\n" + "\n".join(f"{w},9.5" for w in small[1]))
    scene = open_scene(path, options={"wavelengths": table})
    check_values(scene, small)
    assert (scene.fwhm == 9.5).all()
    for wrong in ([500.0], "missing.csv", [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]):
        with pytest.raises(ConfigError, match="wavelengths"):
            open_scene(path, options={"wavelengths": wrong})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("data type = 6", "data type 6"),
        ("lines = -3", "at least one"),
        ("samples = many", "whole number"),
        ("interleave = bsx", "interleave"),
        ("bbl = {1, 0}", "bbl"),
        ("fwhm = {1, 0}", "fwhm"),
        ("wavelength = {a, b}", "words"),
        ("wavelength = {400, 500,", "braces"),
        ("wavelength = {400, 500, 600, -700, 800, 900}", "not positive"),
        ("map info = {UTM, 1, 1}", "map info"),
        ("lines = 12", "bytes"),
        ("file type = ENVI Spectral Library", "endmembers"),
    ],
)
def test_wrong_headers(line, words, small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1])
    with (tmp_path / "a.hdr").open("a") as header:
        header.write(line + "\n")
    with pytest.raises(SceneError, match=words):
        open_scene(path)


@pytest.mark.parametrize("key", ["samples", "lines", "bands", "data type", "wavelength"])
def test_missing_keys(key, small, tmp_path):
    path = write_envi(tmp_path / "a", small[0], wavelength=small[1], units=None)
    header = tmp_path / "a.hdr"
    parts = header.read_text().split(f"\n{key}", 1)
    header.write_text(parts[0] + "\n" + parts[1].split("\n" if key != "wavelength" else "}\n", 1)[1])
    with pytest.raises(SceneError, match=f"lacks '{key}'" if key != "wavelength" else "no wavelengths"):
        open_scene(path)


def test_all_fill(small, tmp_path):
    path = write_envi(tmp_path / "a", small[0] * np.nan, wavelength=small[1], say_scale=False)
    scene = open_scene(path)
    assert np.isnan(scene.spectra.values).all()
    assert "no valid number" in scene.spectra.attrs["scale_source"]


def test_broken_files(small, tmp_path):
    path = write_envi(tmp_path / "a.img", small[0], wavelength=small[1], compress=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneError, match="unpacked"):
        open_scene(path)
    path.write_bytes(gzip.compress(gzip.decompress(whole) + b"more"))
    with pytest.raises(SceneError, match="more bytes"):
        open_scene(path)
    path.unlink()
    with pytest.raises(SceneError, match="no data file"):
        open_scene(tmp_path / "a.img.hdr")
