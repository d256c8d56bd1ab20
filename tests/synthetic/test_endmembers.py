import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.spectra.srf import response_matrix
from hsgeo.synthetic import MATERIALS, fine_spectrum, random_bands, random_spectra
from hsgeo.synthetic.families import FAMILIES, GRID, draw_family


def angles(E):
    unit = E / np.linalg.norm(E, axis=0)
    return np.arccos(np.clip(unit.T @ unit, -1, 1))[np.triu_indices(E.shape[1], 1)]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 16))
def test_sets_are_reflectances_that_differ_and_repeat(seed, count):
    wavelength, fwhm = random_bands(np.random.default_rng(seed))
    E = random_spectra(np.random.default_rng(seed), count, wavelength, fwhm)
    assert E.shape == (len(wavelength), count)
    assert 0 < E.min() < E.max() < 1
    assert (angles(E) >= 0.03 - 1e-7).all()
    np.testing.assert_array_equal(E, random_spectra(np.random.default_rng(seed), count, wavelength, fwhm))


@given(seed=st.integers(0, 2**32 - 1))
def test_bands_are_a_sensors(seed):
    wavelength, fwhm = random_bands(np.random.default_rng(seed))
    assert wavelength.shape == fwhm.shape
    assert 40 <= len(wavelength) <= 240
    assert (np.diff(wavelength) > 0).all()
    assert 370 < wavelength[0] < 480  # bands may be missing at the start, too
    assert wavelength[-1] < 2520
    assert (fwhm > 2).all()
    assert (fwhm < 25).all()


def test_sensors_are_of_many_kinds():
    sensors = [random_bands(np.random.default_rng(seed))[0] for seed in range(200)]
    vnir = np.mean([w[-1] < 1010 for w in sensors])
    assert 0.25 < vnir < 0.75
    windows = [not ((w > 1375) & (w < 1425)).any() for w in sensors if w[-1] > 2300]
    assert 0.6 < np.mean(windows) < 1, "most lack the water window, not all"


def test_sets_range_from_easy_to_hard_and_from_dark_to_bright():
    wavelength = np.arange(400.0, 2450, 20)
    sets = [random_spectra(np.random.default_rng(seed), 5, wavelength) for seed in range(80)]
    least = [angles(E).min() for E in sets]
    assert np.quantile(least, 0.1) < 0.055
    assert np.quantile(least, 0.8) > 0.1
    levels = np.concatenate([E.mean(0) for E in sets])
    assert np.quantile(levels, 0.05) < 0.08
    assert np.quantile(levels, 0.97) > 0.6


@pytest.mark.parametrize("name", FAMILIES)
def test_families_are_reflectances(name):
    spectra = draw_family(np.random.default_rng(0), name, 300)
    assert spectra.shape == (300, len(GRID))
    assert spectra.min() >= 0.004
    assert spectra.max() <= 0.97 + 1e-12


def at(spectra, nm):
    return spectra[:, np.argmin(np.abs(GRID - nm))]


def test_families_show_their_physics():
    rng = np.random.default_rng(0)
    green = draw_family(rng, "green", 200)
    assert (at(green, 850) > 1.3 * at(green, 675)).all(), "red edge"
    assert (at(green, 1650) > at(green, 1940)).all(), "leaf water"
    water = draw_family(rng, "water", 200)
    assert (at(water, 550) > 2 * at(water, 1000)).mean() > 0.95
    snow = draw_family(rng, "snow", 200)
    assert (at(snow, 600) > at(snow, 1500)).all()
    soil = draw_family(rng, "soil", 200)
    assert (at(soil, 1650) > at(soil, 450)).mean() > 0.95


def test_named_spectra_stay_near_their_materials():
    named = draw_family(np.random.default_rng(0), "named", 100).T
    pure = np.stack([np.interp(GRID, *fine_spectrum(name)) for name in MATERIALS], axis=1)
    cosine = (named / np.linalg.norm(named, axis=0)).T @ (pure / np.linalg.norm(pure, axis=0))
    assert np.median(np.arccos(np.clip(cosine.max(1), -1, 1))) < 0.15


def test_wide_bands_average():
    wavelength = np.array([1400.0, 2200.0, 2300.0])
    narrow = random_spectra(np.random.default_rng(4), 1, wavelength, np.full(3, 5.0))
    wide = random_spectra(np.random.default_rng(4), 1, wavelength, np.full(3, 200.0))
    assert not np.allclose(narrow, wide, rtol=1e-3)


def test_half_of_a_set_comes_from_the_library_it_is_given():
    rng = np.random.default_rng(0)
    nm = np.arange(380.0, 2540, 4)
    library = np.clip(0.5 + 0.4 * np.sin(nm[:, None] / rng.uniform(60, 200, 40) + rng.uniform(0, 6, 40)), 0.01, 0.95)
    library[100, 7] = np.nan
    wavelength = np.arange(400.0, 2500, 10)
    E = np.concatenate(
        [
            random_spectra(np.random.default_rng(seed), 4, wavelength, library=library, library_wavelength=nm)
            for seed in range(30)
        ],
        axis=1,
    )
    assert np.isfinite(E).all()
    real = response_matrix(nm, None, wavelength, None) @ np.delete(library, 7, axis=1)
    cosine = (E / np.linalg.norm(E, axis=0)).T @ (real / np.linalg.norm(real, axis=0))
    share = (np.arccos(np.clip(cosine.max(1), -1, 1)) < 0.02).mean()
    assert 0.25 < share < 0.75


def test_what_cannot_be_drawn_is_refused():
    rng, wavelength = np.random.default_rng(0), np.arange(400.0, 1000, 10)
    with pytest.raises(ConfigError, match="350 to 2550"):
        random_spectra(rng, 3, np.array([300.0, 500.0]))
    with pytest.raises(ConfigError, match="350 to 2550"):
        random_spectra(rng, 3, np.array([np.nan, 500.0]))
    with pytest.raises(ConfigError, match="0 endmembers"):
        random_spectra(rng, 0, wavelength)
    with pytest.raises(ConfigError, match=r"1 of 2 endmembers in 1 bands"):
        random_spectra(rng, 2, np.array([500.0]))
    with pytest.raises(ConfigError, match="wavelengths of shape"):
        random_spectra(rng, 2, wavelength, library=np.ones((5, 3)))
    with pytest.raises(ConfigError, match="0 complete spectra"):
        random_spectra(rng, 2, wavelength, library=np.full((5, 3), np.nan), library_wavelength=np.arange(5) * 200 + 300)
    with pytest.raises(ConfigError, match="Leave out the bands"):
        random_spectra(rng, 2, wavelength, library=np.ones((30, 3)), library_wavelength=np.arange(30) * 10.0 + 500)
