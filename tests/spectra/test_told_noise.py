"""The noise that the network is told."""

import numpy as np
import pytest

from hsgeo.spectra.calibrated import told_noise
from hsgeo.synthetic import Effects, observe, random_field, random_spectra


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_the_level_is_right_where_regression_says_too_much(spread):
    rng = np.random.default_rng(1)
    wavelength = np.linspace(420, 2400, 80)
    E, A = random_spectra(rng, 4, wavelength), random_field(rng, 80, 80, 4)
    effects = Effects(snr_db=35.0, noise_spread=spread, variability=0.1, model_error=0.08)
    seen = observe(rng, E, A, effects=effects, wavelength=wavelength)
    told = told_noise(seen.spectra.reshape(80, -1).T)
    ratio = np.sqrt(np.mean((told / seen.noise_std) ** 2))
    assert ratio == pytest.approx(0.9, abs=0.015)  # a little less than there is, on purpose


def test_few_pixels_and_dead_bands_have_noise_above_zero():
    rng = np.random.default_rng(2)
    for pixels in (1, 2, 5):
        Y = rng.random((pixels, 20)).astype(np.float32)
        Y[:, 3] = 0
        assert (told_noise(Y) > 0).all()
