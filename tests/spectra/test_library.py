"""Spectral libraries: real files, both CSV layouts, our own formats, bad files."""

import warnings

import numpy as np
import pytest
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library import as_library, build, by_class, choose, read_library, resample_library
from hsgeo.spectra.library_facts import library_facts


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
    # a bad band of a product is left out; a library keeps its bands, so that all formats read alike
    assert library["wavelength"].values.tolist() == ([500, 600] if kind == "product.zarr" else [500, 600, 700])
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


def test_seven_class_levels_of_roberts(data_dir):
    path = data_dir / "libraries" / "roberts2017_urban.sli"
    with pytest.warns(HsgeoWarning, match="times 10000"):
        library = read_library(path)
    assert set(library["class"].values) == {"pervious", "impervious"}  # level_1, as the file has no class
    for level, count in zip(range(1, 8), (2, 8, 42, 50, 23, 23, 62), strict=True):
        chosen = by_class(library, level=level)
        assert len(set(chosen["class"].values)) == count
        assert by_class(library, level=f"Level_{level}").equals(chosen)
    assert by_class(library, level="Source")["class"].values[0] == "AVIRIS_r22"
    with pytest.raises(ConfigError, match="no class level 8"):
        read_library(path, level=8, scale=10_000)
    # bands in the order of the file, where detectors overlap; those the header flags are kept, and flagged
    assert (np.diff(library["wavelength"].values) < 0).sum() == 3
    assert int((~library["good"].values).sum()) == 46
    on_emit = resample_library(library, np.array([660.0, 1260, 1360, 1660]), np.full(4, 9.0))
    assert np.isnan(on_emit["spectra"].values).all(axis=0).tolist() == [False, False, True, False]


def test_a_library_in_csv_beside_an_sli_is_not_its_table(tmp_path):
    path = sli(tmp_path, [[0.1, 0.2], [0.3, 0.4]], wavelength="{500, 600}", spectra_names="{a, b}")
    table = tmp_path / "a.csv"
    for text in ("name,class,500,600\na,x,1,2\nb,y,3,4\n", "wavelength,q\n500,1\n600,2\n"):
        table.write_text(text)
        assert set(read_library(path).coords) == {"name", "wavelength", "fwhm"}
    table.write_text("name,class,center,2019\na,x,JPL,1\nb,y,DLR,3\n")  # a number as a title: no column of classes
    assert set(read_library(path).coords) == {"name", "class", "center", "wavelength", "fwhm"}
    with pytest.raises(ConfigError, match=r"a\.csv is the table of names and classes of a\.sli.*Give a\.sli"):
        read_library(table)


@pytest.mark.parametrize("name", ["a.json", "a.npz", "notes.txt.bak", "plain"])
def test_other_files_are_refused_with_what_is_read(tmp_path, name):
    sli(tmp_path, [[0.1, 0.2]], wavelength="{500, 600}")
    (tmp_path / name).write_text("{}" * 100)  # long enough to be taken for the data of a.hdr
    with pytest.raises(
        ConfigError, match=rf"{name} is no spectral library.*\.sli or \.hdr.*\.csv, \.txt .*\.zarr, \.nc"
    ):
        read_library(tmp_path / name)


def test_the_scale_is_told_by_good_bands(tmp_path):
    path = sli(tmp_path, [[20, 95, 60000]], wavelength="{500, 600, 700}", bbl="{1, 1, 0}")
    with pytest.warns(HsgeoWarning, match=r"up to 95 \(bad bands left out\): taken as reflectance in percent"):
        np.testing.assert_allclose(read_library(path)["spectra"].values[0, :2], [0.2, 0.95], rtol=1e-6)


def test_an_error_lists_a_few_names():
    many = build(np.ones((300, 1)), np.array([500.0]), None, {"name": np.arange(300).astype(str)})
    with pytest.raises(ConfigError, match=r"8, 9, \.\.\. \(300 in all\)"):
        choose(many, select=["oak"])


def sli(tmp_path, values, **header):
    np.asarray(values, np.float32).tofile(tmp_path / "a.sli")
    facts = {"samples": np.shape(values)[1], "lines": len(values), "data type": 4, "file type": "ENVI Spectral Library"}
    text = "\n".join(f"{key.replace('_', ' ')} = {value}" for key, value in {**facts, **header}.items())
    (tmp_path / "a.hdr").write_text(f"ENVI\n{text}\n")
    return tmp_path / "a.sli"


@pytest.mark.parametrize(
    ("unit", "wavelength", "nm"),
    [
        ("Micrometers", "{0.5, 1.0}", [500, 1000]),
        ("Micrometers", "{8.0, 216}", [8000, 216_000]),  # thermal: the numbers alone would be taken for nm
        ("Micrometers", "{500, 1000}", [500, 1000]),  # the header is wrong
        ("Unknown", "{0.5, 1.0}", [500, 1000]),
        ("Nanometers", "{500, 1000}", [500, 1000]),
        ("Wavenumber", "{20000, 10000}", [500, 1000]),
        ("Angstroms", "{5000, 10000}", [500, 1000]),
    ],
)
def test_units_of_an_envi_header(tmp_path, unit, wavelength, nm):
    library = read_library(sli(tmp_path, [[0.1, 0.2]], wavelength=wavelength, wavelength_units=unit))
    np.testing.assert_allclose(library["wavelength"].values, nm)


def test_what_else_an_envi_header_says(tmp_path):
    path = sli(
        tmp_path, [[10, -999, 30]], wavelength="{500, 510, 520}", fwhm="{9, 0, 9}", bbl="{1, 1, 0}",
        spectra_names="{a (b)}", data_ignore_value=-999, z_plot_titles="{Wavelength, Reflectance [*100]}",
        reflectance_scale_factor=0,
    )  # fmt: skip
    library = read_library(path)
    np.testing.assert_allclose(library["spectra"].values, [[0.1, np.nan, 0.3]], rtol=1e-6)
    np.testing.assert_array_equal(library["fwhm"].values, [9, np.nan, 9])
    assert library["good"].values.tolist() == [True, True, False]
    with pytest.raises(ConfigError, match="index"):
        read_library(sli(tmp_path, [[1, 2]], wavelength="{1, 2}", wavelength_units="Index"))


def test_percent_is_told_from_ten_thousandths(tmp_path):
    (tmp_path / "p.csv").write_text("wavelength,a\n500,20\n600,95.5\n")
    with pytest.warns(HsgeoWarning, match="in percent"):
        np.testing.assert_allclose(read_library(tmp_path / "p.csv")["spectra"].values, [[0.2, 0.955]], rtol=1e-6)


def test_an_infinite_value_is_missing_and_no_scale(tmp_path):
    library = read_library(sli(tmp_path, [[0.1, np.inf, 0.3, 0.4]], wavelength="{500, 510, 520, 530}"))
    np.testing.assert_allclose(library["spectra"].values[0, [0, 2, 3]], [0.1, 0.3, 0.4], rtol=1e-6)
    on_sensor = resample_library(library, np.array([500.0, 520, 530]), np.full(3, 9.0))
    np.testing.assert_allclose(on_sensor["spectra"].values, [[0.1, 0.3, 0.4]], rtol=1e-6)


def test_a_library_far_coarser_than_the_sensor_is_refused():
    def library(step):
        w = np.arange(400.0, 2500, step)
        return build(np.full((1, w.size), 0.3), w, None, {"name": np.array(["a"])})

    to, width = np.arange(425.0, 2300, 10), np.full(188, 10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resample_library(library(18), to, width)
    with pytest.warns(HsgeoWarning, match=r"3\.0 times as coarse"):
        resample_library(library(30), to, width)
    with pytest.raises(ConfigError, match="12 times as coarse"):
        resample_library(library(120), to, width)


def test_facts():
    w = np.array([400.0, 410, 420, 430, 800, 810])
    spectra = np.array([[0.1] * 6, [0.1] * 6, [0.0] * 6, [1.2, np.nan, 0.3, 0.4, 0.5, -0.1]])
    labels = {"name": np.array(["a", "b", "z", "a"]), "class": np.array(["x", "x", "y", "y"])}
    facts = library_facts(build(spectra, w, None, labels, good=np.array([1, 1, 1, 1, 1, 0], bool)))
    assert facts["gaps"] == [[430, 800]]
    assert facts["bad"] == [[810, 810]]
    assert facts["same_name"] == {"a": 2}
    assert facts["same_spectrum"] == [["a", "b"]]
    assert facts["empty"] == ["z"]
    assert facts["classes"] == {"x": 2, "y": 2}
    assert facts["values"] == pytest.approx([0, 1.2])  # the flagged band does not count
    assert facts["outside"] == pytest.approx(1 / 19)
    assert facts["missing"] == pytest.approx(1 / 20)
