import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.synthetic import MATERIALS, fine_spectrum, reflectance


@pytest.mark.parametrize("name", MATERIALS)
def test_spectra_are_reflectances(name):
    wavelength, spectrum = fine_spectrum(name)
    assert wavelength.shape == spectrum.shape
    assert spectrum.min() > 0
    assert spectrum.max() <= 1


def at(name, *wavelength):
    return reflectance([name], np.array(wavelength, float), np.full(len(wavelength), 10.0))[:, 0]


def test_spectra_show_the_physics_that_tells_them_apart():
    red, nir, water_band, swir = at("green-vegetation", 680, 850, 1940, 1650)
    assert nir > 8 * red, "red edge"
    assert swir > 5 * water_band, "leaf water"
    left, doublet, right = at("kaolinite", 2120, 2207, 2260)
    assert doublet < 0.75 * min(left, right), "Al-OH band"
    left, carbonate, right = at("calcite", 2230, 2340, 2430)
    assert carbonate < 0.85 * min(left, right), "carbonate band"
    left, cellulose, right = at("dry-vegetation", 2030, 2100, 2210)
    assert cellulose < 0.95 * min(left, right), "cellulose band"
    visible, infrared = at("snow", 550, 1650)
    assert visible > 5 * infrared
    assert at("water", 570) > 3 * at("water", 1000)


def test_materials_differ_in_shape():
    E = reflectance(MATERIALS, np.arange(400.0, 2500, 10), np.array(10.0))
    unit = E / np.linalg.norm(E, axis=0)
    angle = np.arccos(np.clip(unit.T @ unit, -1, 1)) + np.eye(len(MATERIALS))
    assert angle.min() > 0.05


def test_a_wide_band_averages_and_a_narrow_one_does_not():
    grid, spectrum = fine_spectrum("kaolinite")
    centre = float(spectrum[grid == 2207][0])
    narrow, wide, unknown = reflectance(["kaolinite"], np.full(3, 2207.0), np.array([0.5, 60.0, np.nan]))[:, 0]
    assert narrow == pytest.approx(centre)
    assert unknown == pytest.approx(centre)
    response = np.exp(-4 * np.log(2) * ((grid - 2207) / 60) ** 2)
    assert wide == pytest.approx(float(response @ spectrum / response.sum()), rel=2e-3)


def test_unknown_names_and_bands_are_refused():
    with pytest.raises(ConfigError, match="unobtainium"):
        fine_spectrum("unobtainium")
    with pytest.raises(ConfigError, match="300"):
        reflectance(["soil"], np.array([300.0]), np.array([10.0]))
