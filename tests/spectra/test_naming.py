"""Names from libraries: right where given, unique, and no name where it is not clear."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.scene.catalog import sensor
from hsgeo.spectra.library import build
from hsgeo.spectra.naming import RIVAL, THRESHOLD, name_endmembers
from hsgeo.spectra.srf import resample
from hsgeo.synthetic import MATERIALS, reflectance

W, FWHM = np.arange(420.0, 2440, 10), np.full(202, 11.0)
KNOWN = ("green-vegetation", "soil", "water", "snow")


@pytest.fixture
def library():
    labels = {"name": np.array(KNOWN), "class": np.array(["plants", "ground", "water", "ice"])}
    return build(reflectance(KNOWN, W, FWHM).T, W, FWHM, labels)


def ecostress(data_dir):
    table = np.load(data_dir / "libraries" / "ecostress_subset_5nm.npz")
    to = sensor("prisma")
    width = np.full(421, 5.0)
    spectra = resample(table["spectra"].T.astype(float), table["wavelength_nm"], width, to.wavelength, to.fwhm)
    good = to.good & np.isfinite(spectra).all(axis=0)
    types = np.array([str(category).split("/")[0] for category in table["category"]])
    return spectra[:, good], to.wavelength[good], to.fwhm[good], types, table["names"]


def test_the_type_is_right_in_95_of_100_named_ecostress_spectra(data_dir):
    spectra, w, fwhm, types, names = ecostress(data_dir)
    rng = np.random.default_rng(1)
    share = rng.uniform(0, 0.15, (len(spectra), 1))
    mixed = (1 - share) * spectra + share * spectra[rng.permutation(len(spectra))]
    mixed += rng.normal(0, 0.01 * np.sqrt((mixed**2).mean(axis=1, keepdims=True)), mixed.shape)
    side = np.unique(names, return_inverse=True)[1] % 2  # all spectra of one name on one side
    right = wrong = loose = 0
    for own in (0, 1):
        labels = {"name": names[side != own], "class": types[side != own]}
        library = build(spectra[side != own], w, fwhm, labels)
        found = name_endmembers(mixed[side == own].T, w, library, fwhm=fwhm)
        named = [not name.startswith("e") or not name[1:].isdigit() for name in found.names]
        says = [name.rsplit("-", 1)[0] if name[-1].isdigit() else name for name in found.names]
        hit = np.array(says) == types[side == own]
        right, wrong = right + int(hit[named].sum()), wrong + int((~hit)[named].sum())
        loose += int((found.sad <= THRESHOLD).sum())
    assert right / (right + wrong) >= 0.95
    assert right + wrong >= 40
    assert loose > 4 * (right + wrong)  # the angle alone would name far more, most of them doubtfully


def test_names_are_unique_and_the_unclear_keep_theirs(library):
    E = reflectance(["soil", "green-vegetation", "soil", "calcite"], W, FWHM)
    E[:, 2] *= 0.6  # the same material in the shade
    found = name_endmembers(E, W, library, fwhm=FWHM)
    assert found.names == ("ground", "plants", "ground-2", "e4")
    np.testing.assert_allclose(found.sad[:3], 0, atol=1e-6)
    assert found.sad[3] > 0.1
    assert found.nearest == ("soil", "green-vegetation", "soil", found.nearest[3])
    assert name_endmembers(E, W, library, fwhm=FWHM, by="name", names=["a", "b", "c", "d"]).names[3] == "d"


def test_a_library_that_calls_its_spectra_as_endmembers_are_called(library):
    E = reflectance(["calcite", "soil"], W, FWHM)
    e1 = library.assign_coords({"class": ("spectrum", np.array(["e9", "e1", "w", "i"]))})
    assert name_endmembers(E, W, e1, fwhm=FWHM).names == ("e1", "e1-2")


def test_a_rival_as_near_leaves_the_name_open(library):
    double = build(
        np.concatenate([library["spectra"].values, library["spectra"].values[1:2] * 1.01]),
        W,
        FWHM,
        {"name": np.array([*KNOWN, "dust"]), "class": np.array(["plants", "ground", "water", "ice", "dust"])},
    )
    E = reflectance(["soil"], W, FWHM)
    assert name_endmembers(E, W, double, fwhm=FWHM).names == ("e1",)
    assert name_endmembers(E, W, double, fwhm=FWHM, rival=1).names[0] in ("ground", "dust")
    one = library.assign_coords({"class": ("spectrum", np.array(["all"] * 4))})
    assert name_endmembers(E, W, one, fwhm=FWHM).names == ("all",)


def test_other_bands_bad_bands_and_empty_endmembers(library):
    to = sensor("enmap")
    E = reflectance(["water", "snow", "soil"], to.wavelength, to.fwhm)
    E[30:50] = np.nan  # dead bands
    E[:, 2] = 0
    found = name_endmembers(E, to.wavelength, library, fwhm=to.fwhm)
    assert found.names == ("water", "ice", "e3")
    assert np.isnan(found.sad[2])
    assert found.nearest[2] == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"E": np.ones(5)},
        {"E": np.ones((4, 2))},
        {"threshold": 0},
        {"rival": 2},
        {"names": ["a", "a", "b", "c"]},
        {"by": "colour"},
        {"wavelength": W + 5000},
    ],
)
def test_wrong_input_is_one_clear_error(library, wrong):
    given = {"E": reflectance(KNOWN, W, FWHM), "wavelength": W} | wrong
    with pytest.raises(ConfigError):
        name_endmembers(given.pop("E"), given.pop("wavelength"), library, **given)


def test_defaults_are_as_documented():
    assert (THRESHOLD, RIVAL) == (0.1, 0.4)
    assert set(KNOWN) <= set(MATERIALS)
