"""ECOSTRESS and USGS splib07 text libraries, against the readers of Spectral Python."""

import logging

import numpy as np
import pytest
from spectral.database.ecostress import EcostressDatabase
from spectral.database.usgs import USGSDatabase

from hsgeo.errors import ConfigError, HsgeoWarning
from hsgeo.spectra.library import choose, read_library, resample_library
from hsgeo.spectra.library_grid import one_grid

ASD = np.round(np.linspace(0.35, 2.5, 44), 4)
BECK = np.round(np.geomspace(0.2, 3.0, 30), 5)
NIC4 = np.round(np.geomspace(1.12, 216.0, 25), 4)
DELETED = -1.23e34

# their reader leaves its files open
reference = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("spectral").setLevel(logging.CRITICAL)


def column(path, header, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f" {header}\n" + "\n".join(f" {value:.7e}" for value in values) + "\n")


@pytest.fixture
def splib(tmp_path):
    """A tiny library in the layout of splib07a: chapters, wavelengths and widths of each spectrometer, other files."""
    root = tmp_path / "ASCIIdata" / "ASCIIdata_splib07a"
    rng = np.random.default_rng(0)
    column(root / "splib07a_Wavelengths_ASD_0.35-2.5_microns_2151_ch.txt",
           "splib07a Record=23: Wavelengths ASD 0.35-2.5 microns, 2151 ch", ASD)  # fmt: skip
    column(root / "splib07a_Wavelengths_BECK_Beckman_0.2-3.0_microns.txt",
           "splib07a Record=1: Wavelengths BECK Beckman 0.2-3.0 microns", BECK)  # fmt: skip
    column(root / "splib07a_Wavelengths_NIC4_Nicolet_1.12-216microns.txt",
           "splib07a Record=6: Wavelengths NIC4 Nicolet 1.12-216microns", NIC4)  # fmt: skip
    for kind, width in (("ASDFR_StandardResolution", 0.01), ("ASDHR_High-Resolution", 0.006)):
        column(root / f"splib07a_Bandpass_(FWHM)_{kind}.txt",
               f"splib07a Record=9: Bandpass (FWHM) {kind}", np.full(ASD.size, width))  # fmt: skip
    made = {}
    for chapter, title, tag, count in (
        ("ChapterM_Minerals", "Kaolinite CM5", "BECKb", BECK.size),
        ("ChapterM_Minerals", "Kaolinite CM3", "NIC4aa", NIC4.size),
        ("ChapterS_SoilsAndMixtures", "Sand DWO-3-DEL2ar1 no oil", "ASDFRa", ASD.size),
        ("ChapterV_Vegetation", "Lawn_Grass GDS91 green", "ASDHRa", ASD.size),
    ):
        values = rng.uniform(0.05, 0.6, count).astype(np.float32)
        values[:2] = DELETED
        made[title] = values
        name = f"splib07a_{title.replace(' ', '_')}_{tag}_AREF"
        column(root / chapter / f"{name}.txt", f"splib07a Record=100: {title}        {tag} AREF", values)
        column(root / "errorbars" / f"errorbars_for_{name}.txt",
               f"splib07a Record=101: error bars {title} {tag} AREF", values / 10)  # fmt: skip
    (root / "readme.txt").write_text("nothing to read here\n")
    return root, made


@pytest.mark.parametrize("mark", [pytest.param(None, marks=reference)])
def test_splib07_against_spectral_python(splib, tmp_path, mark):
    root, made = splib
    library = read_library(root)
    assert set(library["name"].values) == set(made)
    database = USGSDatabase.create(str(tmp_path / "usgs.db"), str(root.parent))
    rows = database.query("SELECT SampleID, Description FROM Samples").fetchall()
    assert len(rows) == len(made)
    for sample, description in rows:
        w, values = (np.array(column) for column in database.get_spectrum(sample))
        own = library.isel(spectrum=library["name"].values.tolist().index(" ".join(description.split()[:-2])))
        there = np.isfinite(own["spectra"].values)
        np.testing.assert_allclose(own["wavelength"].values[there], 1000 * w[values > -1], rtol=1e-6)
        np.testing.assert_allclose(own["spectra"].values[there], values[values > -1], rtol=1e-6)


def test_splib07_classes_widths_and_chapter_alone(splib):
    root, _ = splib
    library = read_library(root)
    by_name = {str(name): i for i, name in enumerate(library["name"].values)}
    assert library["class"].values[by_name["Sand DWO-3-DEL2ar1 no oil"]] == "soils and mixtures"
    assert library["level_2"].values[by_name["Kaolinite CM3"]] == "kaolinite"
    for name, width in (("Sand DWO-3-DEL2ar1 no oil", 10), ("Lawn_Grass GDS91 green", 6), ("Kaolinite CM5", np.nan)):
        own = choose(library, select=[name])
        np.testing.assert_allclose(own["fwhm"].values, width, rtol=1e-6)
        assert own.sizes["band"] == (BECK.size if "CM5" in name else ASD.size) - 2
    assert float(library["wavelength"].max()) == pytest.approx(216_000)  # thermal bands in nm, not taken for um
    chapter = read_library(root / "ChapterM_Minerals")
    assert sorted(chapter["name"].values) == ["Kaolinite CM3", "Kaolinite CM5"]
    alone = read_library(next((root / "ChapterV_Vegetation").iterdir()))
    np.testing.assert_allclose(alone["wavelength"].values, 1000 * ASD, rtol=1e-6)


def test_splib07_without_its_wavelengths(splib):
    root, _ = splib
    next(root.glob("*Wavelengths_NIC4*")).unlink()
    with pytest.warns(HsgeoWarning, match="1 whose wavelength file is not there"):
        assert read_library(root).sizes["spectrum"] == 3
    with pytest.raises(ConfigError, match="no spectrum that can be used"):
        read_library(next((root / "ChapterM_Minerals").glob("*NIC4*")))
    (root / "ChapterM_Minerals" / "bad.txt").write_text(" splib07a Record=1: Bad X1 ASDFRa AREF\n1\ntwo\n")
    with pytest.raises(ConfigError, match=r"bad\.txt"):
        read_library(root)


@pytest.mark.parametrize("mark", [pytest.param(None, marks=reference)])
def test_ecostress_against_spectral_python(data_dir, tmp_path, mark):
    folder = data_dir / "libraries" / "ecostress_raw_samples"
    library = read_library(folder)
    assert library.sizes["spectrum"] == 14
    database = EcostressDatabase.create(str(tmp_path / "eco.db"), str(folder))
    joined = "SELECT SpectrumID, Name, Type, Class FROM Spectra JOIN Samples ON Spectra.SampleID = Samples.SampleID"
    for spectrum, name, kind, group in database.query(joined).fetchall():
        own = library.isel(spectrum=library["name"].values.tolist().index(" ".join(name.split())))
        assert (str(own["class"].values), str(own["level_2"].values)) == (kind.strip().lower(), group.strip().lower())
        reference = database.get_signature(spectrum)
        w, values = 1000 * np.array(reference.x), np.array(reference.y) / 100
        there = np.isfinite(own["spectra"].values)
        order = np.argsort(w, kind="stable")
        np.testing.assert_allclose(own["wavelength"].values[there], w[order], rtol=1e-6)
        np.testing.assert_allclose(own["spectra"].values[there], values[order], rtol=2e-6)


def test_every_grid_is_resampled_as_if_it_were_alone(data_dir):
    folder = data_dir / "libraries" / "ecostress_raw_samples"
    library = read_library(folder)
    assert len(set(library["grid"].values)) == 9
    to, width = np.arange(420.0, 2450, 60), np.full(34, 12.0)
    together = resample_library(library, to, width)
    for file in sorted(folder.iterdir())[::5]:
        alone = read_library(file)
        row = library["file"].values.tolist().index(file.name)
        np.testing.assert_array_equal(
            together["spectra"].values[row], resample_library(alone, to, width)["spectra"].values[0]
        )
    assert np.isfinite(together["spectra"].values).all()


def test_one_grid_interpolates_and_does_not_extrapolate(data_dir):
    library = read_library(data_dir / "libraries" / "ecostress_raw_samples")
    single = one_grid(library)
    assert single["wavelength"].values.tolist() == pytest.approx(np.arange(350.0, 2501.0).tolist())
    mimetite = single.isel(spectrum=single["name"].values.tolist().index("Mimetite Pb_5(AsO_4)_3Cl"))
    own = choose(library, select=["Mimetite*"])
    inside = mimetite["wavelength"].values >= 400
    assert np.isnan(mimetite["spectra"].values[~inside]).all()
    expected = np.interp(mimetite["wavelength"].values[inside], own["wavelength"].values, own["spectra"].values[0])
    np.testing.assert_allclose(mimetite["spectra"].values[inside], expected, atol=1e-6)


def test_fractions_wavenumbers_and_files_that_are_no_reflectance(tmp_path):
    def write(name, x, y, *rows):
        (tmp_path / name).write_text(
            f"Name: {name}\nType: Soil\nClass: Loam\nX Units: {x}\nY Units: {y}\n\n" + "\n".join(rows) + "\n"
        )

    write("a.txt", "Wavelength (nanometers)", "Reflectance", "500 0.25", "510 0.5")
    write("b.txt", "Wavenumber (cm-1)", "Reflectance (percentage)", "20000 25", "10000 -1.23e34", "5000 50")
    write("c.txt", "Wavelength (micrometers)", "Transmittance (percent)", "0.5 20", "0.6 30")
    with pytest.warns(HsgeoWarning, match="1 of transmittance"):
        library = read_library(tmp_path)
    assert library["name"].values.tolist() == ["a.txt", "b.txt"]
    np.testing.assert_allclose(library["wavelength"].values, [500, 510, 1000, 2000])
    np.testing.assert_allclose(library["spectra"].values, [[0.25, 0.5, np.nan, np.nan], [0.25, np.nan, np.nan, 0.5]])
    (tmp_path / "d.txt").write_text("Name: d\nX Units: um\nY Units: Reflectance\n0.5 0.1\nbroken line\n")
    with pytest.raises(ConfigError, match="broken line"):
        read_library(tmp_path)


def test_a_folder_without_spectra(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(ConfigError, match="no spectrum"):
        read_library(tmp_path)
