"""Spectral libraries: real files, both CSV layouts, our own formats, bad files."""

import warnings

import numpy as np
import pytest
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library import as_library, choose, read_library, resample_library


def test_berlin(data_dir):
    library = read_library(data_dir / "libraries" / "library_berlin.sli")
    assert dict(library.sizes) == {"spectrum": 75, "band": 177}
    assert library["wavelength"].values[0] == pytest.approx(460)
    assert library["fwhm"].values[0] == pytest.approx(5.8)
    assert library["name"].values[0] == "red clay tile 1"
    assert set(library["class"].values) >= {"impervious", "water"}
    assert set(library["level_3"].values) >= {"roof"}
    raw = np.fromfile(data_dir / "libraries" / "library_berlin.sli", "<f8").reshape(75, 177)
    np.testing.assert_allclose(library["spectra"].values, raw / 10_000, rtol=1e-6)
    assert read_library(data_dir / "libraries" / "library_berlin.hdr").equals(library)


def test_files_that_do_not_say_their_scale_are_taken_as_times_10000_with_a_notice(data_dir):
    with pytest.warns(HsgeoWarning, match="times 10000"):
        emit = read_library(data_dir / "libraries" / "emit_basic_endmember_library.csv")
    assert emit["name"].values.tolist()[:2] == ["SOIL", "SOIL-2"]
    assert emit["class"].values.tolist().count("SOIL") == 3
    assert float(emit["spectra"].max()) == pytest.approx(0.543, abs=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = read_library(data_dir / "libraries" / "emit_basic_endmember_library.csv", scale=1)
    np.testing.assert_allclose(plain["spectra"].values, emit["spectra"].values * 10_000, rtol=1e-6)
    with pytest.warns(HsgeoWarning, match="times 10000"):
        roberts = read_library(data_dir / "libraries" / "roberts2017_urban.sli")
    assert roberts.sizes["spectrum"] == 3725
    assert roberts["wavelength"].values[0] == pytest.approx(365.9)  # the header says Unknown, the numbers say um


def test_data_without_suffix(data_dir):
    library = read_library(data_dir / "libraries" / "gamsberg_field_library")
    assert dict(library.sizes) == {"spectrum": 27, "band": 2151}
    on_enmap = resample_library(library, np.arange(420.0, 2440, 10), np.full(202, 10.0))
    assert np.isfinite(on_enmap["spectra"].values).all()


@pytest.mark.parametrize(
    "text",
    [
        "wavelength,fwhm,soil,water\n500,10,0.2,0.05\n600,10,0.3,0.04\n",
        "\ufeffname,0.5,0.6\nsoil,0.2,0.3\nwater,0.05,0.04\n",
        "Wavelength (um);fwhm;soil;water\n0.6;0.01;0.3;0.04\n0.5;0.01;0.2;0.05\n",
    ],
)
def test_csv_layouts(tmp_path, text):
    path = tmp_path / "lib.csv"
    path.write_text(text, encoding="utf-8")
    library = read_library(path)
    assert library["name"].values.tolist() == ["soil", "water"]
    on_sensor = resample_library(
        library, np.array([500.0, 600.0]), np.full(2, np.nanmin([*library["fwhm"].values, 10.0]))
    )
    np.testing.assert_allclose(on_sensor["spectra"].values, [[0.2, 0.3], [0.05, 0.04]], rtol=1e-6)


@pytest.mark.parametrize("kind", ["library.zarr", "product.zarr", "library.nc"])
def test_our_own_formats(tmp_path, kind):
    E = np.array([[0.1, 0.2, np.nan], [0.5, 0.4, np.nan]], np.float32)
    band = {"wavelength": ("band", [500.0, 600, 700]), "fwhm": ("band", [9.0, 9, 9])}
    if kind == "product.zarr":
        dataset = xr.Dataset(
            {"endmembers": (("endmember", "band"), E), "abundance": (("endmember", "y", "x"), np.ones((2, 2, 2)))},
            {"endmember": ["soil", "cloud"], **band},
        )
    else:
        dataset = xr.Dataset({"spectra": (("spectrum", "band"), E)}, {"name": ("spectrum", ["soil", "cloud"]), **band})
    path = tmp_path / kind
    if path.suffix == ".zarr":
        dataset.to_zarr(path, zarr_format=2)
    else:
        dataset.to_netcdf(path, engine="h5netcdf")
    library = read_library(path)
    assert library["name"].values.tolist() == ["soil", "cloud"]
    assert library["wavelength"].values.tolist() == [500, 600]
    kept = choose(library, drop=["cloud"], rename={"soil": "bare soil"})
    assert kept["name"].values.tolist() == ["bare soil"]
    assert as_library(dataset).equals(library)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("words.csv", b"hello\nworld"),
        ("ragged.csv", b"wavelength,a\n500,1,2\n"),
        ("text.csv", b"wavelength,a\n500,x\n"),
        ("binary.csv", bytes(range(256))),
        ("lonely.sli", b"1234"),
        ("nothing.nc", b"1234"),
        ("picture.jpg", b"1234"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError):
        read_library(tmp_path / name)


def test_truncated_sli_and_missing_file(tmp_path):
    (tmp_path / "a.sli").write_bytes(b"\0" * 10)
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 3\nlines = 2\ndata type = 4\nfile type = ENVI Spectral Library\nwavelength = {1, 2, 3}\n"
    )
    with pytest.raises(ConfigError, match="holds 10 bytes"):
        read_library(tmp_path / "a.sli")
    with pytest.raises(ConfigError, match="does not exist"):
        read_library(tmp_path / "b.sli")


def test_choosing():
    library = as_library(
        xr.Dataset(
            {"spectra": (("spectrum", "band"), np.eye(3))},
            {"name": ("spectrum", ["a", "b", "c"]), "wavelength": ("band", [1.0, 2, 3])},
        )
    )
    assert choose(library, select=["c", "a"])["name"].values.tolist() == ["c", "a"]
    for wrong in ({"drop": ["z"]}, {"drop": ["a", "b", "c"]}, {"rename": {"a": "b"}}, {"select": ["q"]}):
        with pytest.raises(ConfigError):
            choose(library, **wrong)
