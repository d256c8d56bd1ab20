"""What is written is read back, bit for bit; and nothing is half-written."""

import os
import warnings

import numpy as np
import pytest
import spectral.io.envi as spy
import xarray as xr

import hsgeo
from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library import build, read_library
from hsgeo.spectra.library_write import write_library


def library(dtype, *, names=("soil", "water, deep", "a {odd} = name"), **more):
    rng = np.random.default_rng(0)
    spectra = rng.random((3, 5)).astype(dtype)
    spectra[1, 2] = np.nan
    labels = {"name": np.array(names), "class": np.array(["ground", "water", ""]), "level_2": np.array(["x", "y", "z"])}
    w = np.array([500.1, 600.123456789, 590.0, 700.7, 0.1 + 900])  # two detectors overlap; the order is the file's
    return build(spectra, w, np.array([9.1, np.nan, 9.3, 9.4, 9.5]), labels, **more)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("suffix", [".sli", ".zarr", ".nc"])
def test_round_trip_is_exact(tmp_path, suffix, dtype):
    given = library(dtype, good=np.array([True, True, False, True, True]))
    write_library(given, tmp_path / f"a{suffix}")
    back = read_library(tmp_path / f"a{suffix}", dtype=dtype)
    assert back.equals(given)
    assert back["spectra"].dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_csv_keeps_values_names_classes_and_says_what_it_does_not_keep(tmp_path, dtype):
    given = library(dtype)
    with pytest.warns(HsgeoWarning, match="no band widths"):
        write_library(given, tmp_path / "a.csv")
    back = read_library(tmp_path / "a.csv", dtype=dtype)
    assert back.drop_vars("fwhm").equals(given.drop_vars("fwhm"))


@pytest.mark.parametrize("name", ["library_berlin.sli", "roberts2017_urban.sli", "gamsberg_field_library"])
def test_real_libraries_lose_no_digit_and_spectral_python_reads_them(data_dir, tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HsgeoWarning)  # that Roberts does not say its scale
        given = read_library(data_dir / "libraries" / name, dtype="float64")
    write_library(given, tmp_path / "a.sli")
    assert read_library(tmp_path / "a.sli", dtype="float64").equals(given)
    theirs = spy.open(str(tmp_path / "a.hdr"))
    np.testing.assert_array_equal(theirs.spectra, given["spectra"].values)
    assert theirs.names == given["name"].values.tolist()
    np.testing.assert_array_equal(theirs.bands.centers, given["wavelength"].values)


def test_a_library_written_by_spectral_python(tmp_path):
    header = {"wavelength": ["0.5", "0.6"], "wavelength units": "Micrometers", "spectra names": ["a", "b"]}
    spy.SpectralLibrary(np.array([[0.1, 0.2], [0.3, 0.4]], np.float32), header, None).save(str(tmp_path / "a"))
    back = read_library(tmp_path / "a.sli")
    assert back["name"].values.tolist() == ["a", "b"]
    assert back["wavelength"].values.tolist() == [500, 600]


def test_nothing_is_half_written(tmp_path, monkeypatch):
    given = library("float32")
    write_library(given, tmp_path / "a.sli")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match="exists"):
        write_library(given, tmp_path / "a.sli")
    with pytest.raises(ConfigError, match="suffix"):
        write_library(given, tmp_path / "a.xlsx")
    with pytest.raises(ConfigError, match="cannot be written to"):
        write_library(given, tmp_path / "nowhere" / "a.sli")
    (tmp_path / "b.csv").write_text("classes of something else")
    with pytest.raises(ConfigError, match="exists"):  # the table beside would be lost
        write_library(given, tmp_path / "b.sli")
    (tmp_path / "b.csv").unlink()

    move, calls = os.replace, []

    def failing(source, target):  # the disk is full when the second new file is put in its place
        calls.append(source)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(ConfigError, match="No space"):
        write_library(given.assign(spectra=given["spectra"] * 2), tmp_path / "a.sli", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_table_and_a_library_of_one_name_do_not_replace_each_other(tmp_path):
    given = library("float32").drop_vars("fwhm").assign_coords(fwhm=("band", np.full(5, np.nan)))
    write_library(given, tmp_path / "a.sli")  # with its table a.csv
    write_library(given, tmp_path / "b.csv")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for write in (write_library, hsgeo.write_library):
        with pytest.raises(ConfigError, match=r"a\.csv is the table of names and classes of a\.sli"):
            write(given, tmp_path / "a.csv", overwrite=True)
        with pytest.raises(ConfigError, match=r"b\.csv is a library of its own"):
            write(given, tmp_path / "b.sli", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", [".sli", ".zarr", ".nc", ".csv"])
def test_the_verbs_take_a_library_without_names_and_widths(tmp_path, suffix):
    w = np.arange(400.0, 900.0, 5.0)
    own = xr.Dataset({"spectra": (("spectrum", "band"), np.full((2, 100), 0.25))}, {"wavelength": ("band", w)})
    assert hsgeo.library_facts(own)["fwhm"] is None
    hsgeo.write_library(own, tmp_path / f"a{suffix}")
    back = read_library(tmp_path / f"a{suffix}")
    assert back["name"].values.tolist() == ["1", "2"]
    np.testing.assert_array_equal(back["spectra"].values, own["spectra"].values)
    (tmp_path / "bands.csv").write_text("wavelength,fwhm\n500,10\n600,12\n")
    assert hsgeo.resample_library(own, tmp_path / "bands.csv")["name"].values.tolist() == ["1", "2"]


@pytest.mark.parametrize("suffix", [".sli", ".zarr", ".nc", ".csv"])
def test_overwriting(tmp_path, suffix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HsgeoWarning)
        write_library(library("float32"), tmp_path / f"a{suffix}")
        plain = library("float64", names=("one", "two", "three")).drop_vars(["class", "level_2"])
        write_library(plain, tmp_path / f"a{suffix}", overwrite=True)
    assert read_library(tmp_path / f"a{suffix}")["name"].values.tolist() == ["one", "two", "three"]
    assert "class" not in read_library(tmp_path / f"a{suffix}").coords  # the old table is gone, too
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
