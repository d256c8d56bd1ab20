"""Classes by name: how people write them, and what is said where there is none."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.library import build
from hsgeo.spectra.library_classes import class_centres, find_classes
from tests.scenes import WAVELENGTH, endmembers


@pytest.fixture
def library():
    spectra = np.repeat(endmembers(4), 2, axis=0) * np.tile([1.0, 1.1], 4)[:, None]
    spectra[1, 20:] = np.nan  # one from a sensor without SWIR
    labels = {
        "name": np.array(["oak 1", "oak 2", "loam", "sand", "pond", "lake", "Roof_Red", "Roof_Grey"]),
        "class": np.array(["Green Vegetation"] * 2 + ["soil"] * 2 + ["water"] * 2 + ["urban"] * 2),
    }
    return build(spectra, WAVELENGTH, None, labels)


@pytest.mark.parametrize(
    ("wanted", "classes", "names"),
    [
        (["SOIL", " green_vegetation"], ["SOIL", "green_vegetation"], ["loam", "sand", "oak 1", "oak 2"]),
        (["water", "Sand"], ["water", "Sand"], ["pond", "lake", "sand"]),
        (["roof*", "*water"], ["roof", "water"], ["Roof_Red", "Roof_Grey", "pond", "lake"]),
        (["roof-grey", "roof red"], ["roof-grey", "roof red"], ["Roof_Grey", "Roof_Red"]),
    ],
)
def test_classes_are_found_as_people_write_them(library, wanted, classes, names):
    found = find_classes(library, wanted)
    assert list(dict.fromkeys(found["class"].values.tolist())) == classes
    assert found["name"].values.tolist() == names


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (["vegetation", "soil"], "nothing called 'vegetation'.*\n?.*Green Vegetation"),
        (["soyl", "water"], "such as soil"),
        (["soil"], "two or more"),
        (["soil", "Soil"], "each once"),
        (["water", "pond"], "both take the spectrum 'pond'"),
        (["water", "*"], "both take"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(library, wanted, says):
    with pytest.raises(ConfigError, match=says):
        find_classes(library, wanted)


def test_centres_are_those_of_the_spectra_that_cover_most(library):
    centres = class_centres(find_classes(library, ["green vegetation", "soil"]))
    assert centres["name"].values.tolist() == ["green vegetation", "soil"]
    np.testing.assert_allclose(centres["spectra"][0], endmembers(1)[0])
    np.testing.assert_allclose(centres["spectra"][1], 1.05 * endmembers(2)[1])
    with pytest.raises(ConfigError, match="no usable spectrum"):
        class_centres(find_classes(library, ["water", "soil"]).fillna(0) * 0)
