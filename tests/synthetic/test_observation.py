import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsgeo.errors import ConfigError
from hsgeo.synthetic import Effects, observe, random_field, random_spectra

WAVELENGTH = np.arange(400.0, 2400, 25)


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    return random_spectra(rng, 5, WAVELENGTH), random_field(rng, 64, 60, 5, kind="voronoi")


def view(scene, seed=0, **effects):
    E, A = scene
    return observe(np.random.default_rng(seed), E, A, wavelength=WAVELENGTH, effects=Effects(**effects))


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_without_effects_a_scene_is_the_mixture(scene):
    E, A = scene
    seen = observe(np.random.default_rng(0), E, A)
    np.testing.assert_allclose(seen.clean, np.tensordot(E, A, 1), atol=3e-7)
    np.testing.assert_array_equal(seen.spectra, seen.clean)
    assert (seen.gain == 1).all()
    assert not seen.noise_std.any()
    assert not seen.dead.any()
    assert seen.spectra.dtype == seen.clean.dtype == np.float32


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    snr_db=st.floats(0, 50),
    spread=st.floats(0, 1),
    correlation=st.floats(0, 0.8),
)
def test_the_noise_has_the_level_that_was_asked_for(scene, seed, snr_db, spread, correlation):
    seen = view(scene, seed, snr_db=snr_db, noise_spread=spread, noise_correlation=correlation)
    noise = seen.spectra.astype(np.float64) - seen.clean
    asked = rms(seen.clean) * 10 ** (-snr_db / 20)
    assert rms(seen.noise_std) == pytest.approx(asked, rel=1e-4)
    assert rms(noise) == pytest.approx(asked, rel=0.03)


def test_noise_is_as_wide_in_each_band_and_as_correlated_as_it_says(scene):
    seen = view(scene, snr_db=20, noise_spread=0.8, noise_correlation=0.6)
    noise = seen.spectra - seen.clean
    np.testing.assert_allclose(noise.std((1, 2)), seen.noise_std, rtol=0.06)  # 3840 pixels: 1.1 % each, and correlated
    assert seen.noise_std.max() > 2 * seen.noise_std.min()
    unit = noise.reshape(len(noise), -1) / seen.noise_std[:, None]
    assert np.mean(unit[1:] * unit[:-1]) == pytest.approx(0.6, abs=0.02)
    assert np.mean(unit[2:] * unit[:-2]) == pytest.approx(0.36, abs=0.02)
    white = view(scene, snr_db=20)
    assert np.ptp(white.noise_std) == 0


@pytest.mark.parametrize("effect", ["model_error", "variability", "bilinear", "offset", "gain_smooth", "gain_pixel"])
def test_each_effect_grows_with_its_strength(scene, effect):
    linear = view(scene).clean
    small, large = (rms(view(scene, **{effect: s}).clean - linear) for s in (0.02, 0.08))
    assert small > 0
    assert large == pytest.approx(4 * small, rel=0.15)


def test_model_error_has_the_size_that_was_asked_for(scene):
    linear = view(scene).clean
    error = view(scene, model_error=0.05).clean - linear
    assert rms(error) == pytest.approx(0.05 * rms(linear), rel=1e-3)
    outside = error.reshape(len(error), -1)
    outside = outside - scene[0] @ np.linalg.lstsq(scene[0], outside, rcond=None)[0]
    assert rms(outside) > 0.1 * rms(error), "no endmembers can explain it away"


def test_gain_multiplies_every_band(scene):
    seen = view(scene, gain_smooth=0.1, gain_pixel=0.1)
    np.testing.assert_allclose(seen.clean, view(scene).clean * seen.gain, rtol=2e-6)
    assert np.log(seen.gain).std() == pytest.approx(np.hypot(0.1, 0.1), rel=0.05)


def test_second_reflections_are_the_products_of_pairs():
    E = np.array([[0.2, 0.8], [0.6, 0.3]])
    A = np.broadcast_to(np.array([0.25, 0.75])[:, None, None], (2, 16, 16))
    seen = observe(np.random.default_rng(1), E, A, effects=Effects(bilinear=0.3))
    more = seen.clean.reshape(2, -1) - (E @ A.reshape(2, -1))
    pair = 0.25 * 0.75 * np.array([0.16, 0.18])
    strength = more / pair[:, None]
    np.testing.assert_allclose(strength[0], strength[1], atol=1e-4)
    assert -1e-5 < strength.min() < strength.max() < 0.3 + 1e-5
    pure = observe(np.random.default_rng(1), E, np.eye(2)[:, :, None], effects=Effects(bilinear=0.3))
    np.testing.assert_allclose(pure.clean[:, :, 0], E, atol=1e-6)


def test_stripes_run_along_columns_and_are_not_in_the_clean_scene(scene):
    seen = view(scene, stripe_gain=0.02)
    ratio = seen.spectra / seen.clean
    np.testing.assert_allclose(ratio, ratio[:, :1] + 0 * ratio, rtol=1e-5)
    assert ratio[:, 0].std() == pytest.approx(0.02, rel=0.15)
    seen = view(scene, stripe_offset=0.01)
    offset = seen.spectra - seen.clean
    np.testing.assert_allclose(offset, offset[:, :1] + 0 * offset, atol=1e-6)
    assert rms(offset) == pytest.approx(0.01 * rms(seen.clean), rel=0.15)
    assert not seen.noise_std.any()


def test_dead_bands_read_zero(scene):
    seen = view(scene, snr_db=20, dead=0.3)
    assert 0 < seen.dead.sum() < len(WAVELENGTH)
    np.testing.assert_array_equal((seen.spectra == 0).all((1, 2)), seen.dead)
    np.testing.assert_array_equal(seen.noise_std == 0, seen.dead)
    assert (seen.clean[seen.dead] > 0).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_effects_are_plausible_and_repeat(scene, seed):
    effects = Effects.random(np.random.default_rng(seed))
    assert effects == Effects.random(np.random.default_rng(seed))
    E, A = scene[0], scene[1][:, :12, :10]
    one, two = (observe(np.random.default_rng(seed), E, A, wavelength=WAVELENGTH, effects=effects) for _ in range(2))
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))
    assert np.isfinite(one.spectra).all()
    assert rms(one.clean - np.tensordot(E, A, 1)) < 0.8 * rms(np.tensordot(E, A, 1))


def test_one_pixel_and_one_band_and_darkness_are_legal():
    everything = Effects(**{f.name: 0.1 for f in dataclasses.fields(Effects)} | {"snr_db": 10.0})
    one = observe(np.random.default_rng(0), np.full((1, 2), 0.5), np.full((2, 1, 1), 0.5), effects=everything)
    assert one.spectra.shape == (1, 1, 1)
    assert np.isfinite(one.spectra).all()
    dark = observe(np.random.default_rng(0), np.zeros((4, 2)), np.full((2, 3, 3), 0.5), effects=Effects(snr_db=10))
    assert not dark.spectra.any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("snr_db", np.nan), ("snr_db", -np.inf), ("variability", -0.1), ("dead", 1.0), ("offset", np.inf)],
)
def test_strengths_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        Effects(**{name: value})


def test_what_does_not_fit_is_refused():
    rng, E, A = np.random.default_rng(0), np.ones((4, 2)), np.ones((2, 3, 3))
    with pytest.raises(ConfigError, match=r"\(4, 2\).*\(3, 3, 3\)"):
        observe(rng, E, np.ones((3, 3, 3)))
    with pytest.raises(ConfigError, match="wavelengths for 4 bands"):
        observe(rng, E, A, wavelength=np.arange(3.0))
    with pytest.raises(ConfigError, match="not finite"):
        observe(rng, E * np.nan, A)
