"""EnMAP: whose band is whose, in products of other processors and where the lists of channels are of no use."""

import numpy as np
import pytest

from hsgeo.errors import HsgeoWarning
from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors.enmap_case import BOTH, ENMAP, edit, write

wavelength, detector = ENMAP.wavelength, ENMAP.detector
SMALL = (0.1 + np.arange(ENMAP.bands)[:, None, None] / 1000 + np.arange(30).reshape(5, 6) / 100).astype(np.float32)
L1B_LISTS = ",".join(map(str, range(1, 92))), ",".join(map(str, range(92, 225)))
DRY = ~((wavelength > 1358) & (wavelength < 1453) | (wavelength > 1814) & (wavelength < 1961))
OWN = np.where((wavelength >= 900) & (wavelength <= 1000), "unknown", detector)  # what a wavelength tells
OVERLAP = "of the bands from 900 to 1000 nm"


def product(path, keep=slice(None), lists=None):
    """Write an L2A of some bands, with lists of channels that are not theirs."""
    what = {"wavelength": wavelength[keep], "fwhm": ENMAP.fwhm[keep], "detector": detector[keep]}
    write(path, SMALL[keep], dead=None, **what)
    for name, text in zip(("vnir", "swir"), lists or (), strict=False):
        where = rf"(<{name}ProductQuality>\s*)<expectedChannelsList>[^<]*</expectedChannelsList>"
        edit(path, where, r"\1" if text is None else rf"\1<expectedChannelsList>{text}</expectedChannelsList>")
    return path


def assert_bands(scene, keep, labels):
    """Check that each band has its wavelength, its values and its label."""
    assert np.allclose(scene.wavelength, wavelength[keep])
    assert np.allclose(scene.spectra, SMALL[keep], atol=0.51e-4)
    assert scene.detector.values.tolist() == labels[keep].tolist()


KEPT = {  # what EnPT makes of the overlap; water vapour goes in all of them
    "swir_only": DRY & ~((detector == "vnir") & (wavelength >= wavelength[detector == "swir"].min())),
    "vnir_only": DRY & ~((detector == "swir") & (wavelength <= wavelength[detector == "vnir"].max())),
}


@pytest.mark.parametrize("how", KEPT)
def test_products_of_enpt_open_without_a_word_where_one_detector_gave_way(tmp_path, how):
    path = product(tmp_path / "p", KEPT[how], L1B_LISTS)
    for overlap in ("swir", "vnir"):
        scene = open_scene(path, options={"overlap": overlap})
        assert_bands(scene, KEPT[how], OWN)
        assert scene.attrs["detector_source"] == "wavelength; expectedChannelsList is of other bands"


@pytest.mark.parametrize("keep", [DRY, np.ones(ENMAP.bands, bool)], ids=["fewer bands", "all 224"])
def test_products_of_enpt_with_both_detectors_say_that_the_overlap_stays(tmp_path, keep):
    path = product(tmp_path / "p", keep, L1B_LISTS)
    with pytest.warns(HsgeoWarning, match=f"{OVERLAP}.*overlap=swir leaves none out") as said:
        scene = open_scene(path)
    assert [w.category for w in said].count(HsgeoWarning) == 1
    assert_bands(scene, keep, OWN)
    assert scene.spectra.attrs["overlap"] == "both"
    assert_bands(open_scene(path, options=BOTH), keep, OWN)  # warnings are errors here


VNIR, SWIR = (np.flatnonzero(detector == name) + 1 for name in ("vnir", "swir"))


@pytest.mark.parametrize("form", ["{},", " {} ,\n", "{};", "1,{}"])
def test_lists_are_read_however_they_are_written(tmp_path, form):
    lists = (form.format(", ".join(map(str, VNIR))), form.replace("1,", "").format(",".join(map(str, SWIR))))
    scene = open_scene(product(tmp_path / "p", lists=lists), options=BOTH)
    assert_bands(scene, slice(None), detector)
    assert scene.attrs["detector_source"] == "expectedChannelsList"


@pytest.mark.parametrize("text", ["NA", "", None, ",".join(map(str, VNIR[1:])), ",".join(map(str, [*VNIR, SWIR[0]]))],
                         ids=["NA", "empty", "missing", "one less", "one of the other"])  # fmt: skip
def test_a_list_that_tells_nothing_keeps_no_product_from_opening(tmp_path, text):
    path = product(tmp_path / "p", lists=(text, ",".join(map(str, SWIR))))
    with pytest.warns(HsgeoWarning, match=OVERLAP):
        scene = open_scene(path)
    assert_bands(scene, slice(None), OWN)
    assert scene.attrs["detector_source"].startswith("wavelength")


def test_lists_of_the_other_detector_are_not_believed(tmp_path):
    path = product(tmp_path / "p", lists=(",".join(map(str, SWIR)), ",".join(map(str, VNIR))))
    assert_bands(open_scene(path, options=BOTH), slice(None), OWN)
