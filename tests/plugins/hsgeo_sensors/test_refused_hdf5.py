"""Formats of one HDF5 file that lack something, or hold something else: one clear error each."""

import numpy as np
import pytest

from tests.plugins.hsgeo_sensors.hdf5_case import LAYOUT, change, damaged, drop
from tests.plugins.hsgeo_sensors.refused_case import assert_refused, duplicate


def words(values):
    return np.full(values.shape, b"none")


CUBE = "SWIR_Cube|reflectance|Reflectance_Data|spectra|three dims|three-dim|no array"
CENTRES = "wavelength|centres|List_Cw|could not convert string"
DAMAGE = {
    "no cube": (lambda of: drop(of.cube), CUBE),
    "no group": (lambda of: of.group and drop(of.group), "lacks|nothing at|neither|none|does not say"),
    "no attribute": (lambda of: of.attribute and drop(of.attribute), "lacks|does not say"),
    "no wavelengths": (lambda of: of.wavelengths and drop(of.wavelengths), CENTRES),
    "fewer wavelengths": (lambda of: of.wavelengths and change(of.wavelengths, lambda v: v[:-1]), CENTRES),
    "words for wavelengths": (lambda of: of.wavelengths and change(of.wavelengths, words), CENTRES),
    "words": (lambda of: change(of.cube, words), rf"S4|{CUBE}"),
    "complex": (lambda of: change(of.cube, lambda v: v * np.complex64(1j)), rf"complex64|{CUBE}"),
    "two axes": (lambda of: change(of.cube, lambda v: v[0]), rf"shapes|sizes|{CUBE}"),
    "fewer rows": (lambda of: of.rows and change(of.rows, lambda v: v[:-1]), r"22|712|cannot be opened"),
}


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for name, layout in LAYOUT.items() for damage in DAMAGE if DAMAGE[damage][0](layout)],
)
def test_other_contents(name, damage, whole, tmp_path):
    make, said = DAMAGE[damage]
    assert_refused(damaged(duplicate(whole(name), tmp_path), make(LAYOUT[name])), said)


@pytest.mark.parametrize(
    ("name", "where"), [("EMIT", ("/", "spatial_ref")), ("AVIRIS netCDF", ("transverse_mercator", "crs_wkt"))]
)
def test_a_reference_system_that_cannot_be_read_is_told_once(name, where, whole, tmp_path, capfd):
    path = damaged(duplicate(whole(name), tmp_path), change(where, lambda _: np.bytes_('GEOGCS["WGS 84",DATUM["x"')))
    assert_refused(path, "reference system|spatial_ref")
    assert capfd.readouterr().err == "", "GDAL has its own opinion"
