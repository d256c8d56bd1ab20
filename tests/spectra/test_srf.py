"""Sensor response against direct numeric integration."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.srf import filled_fwhm, resample


def smooth(w):
    return 0.3 + 0.2 * np.sin(w / 60) + 0.1 * np.exp(-0.5 * ((w - 900) / 30) ** 2)


def seen(centre, fwhm):
    """What a Gaussian band sees of `smooth`, integrated directly."""
    w = np.arange(centre - 4 * fwhm, centre + 4 * fwhm, 0.01)
    response = np.exp(-4 * np.log(2) * ((w - centre) / fwhm) ** 2)
    return np.sum(response * smooth(w)) / response.sum()


def test_against_direct_integration_whatever_the_order():
    w = np.random.default_rng(0).permutation(np.arange(400.0, 1400.0, 1.0))
    to, fwhm = np.array([1000.0, 450.0, 905.0, 700.0]), np.array([12.0, 8.0, 20.0, 6.5])
    points = np.full(w.shape, 1e-3)  # a spectrum known at points
    np.testing.assert_allclose(
        resample(smooth(w), w, points, to, fwhm), [seen(c, f) for c, f in zip(to, fwhm, strict=True)], atol=2e-5
    )
    # sampled through 5 nm bands, the wider ones can still be had exactly: Gaussians add in squares
    through = np.array([seen(c, 5.0) for c in np.sort(w)])
    np.testing.assert_allclose(
        resample(through, np.sort(w), np.full(w.shape, 5.0), to, fwhm),
        [seen(c, f) for c, f in zip(to, fwhm, strict=True)],
        atol=1e-4,
    )


def test_the_same_bands_give_the_same_spectrum():
    w = np.array([400.0, 410, 420, 700, 711, 705, 2000])
    spectra = np.random.default_rng(1).random((3, 7))
    np.testing.assert_array_equal(resample(spectra, w, None, w, None), spectra)
    np.testing.assert_array_equal(resample(spectra, w, np.full(7, 9.0), w, np.full(7, 9.0)), spectra)


def test_nothing_is_extrapolated_nor_bridged():
    w = np.arange(500.0, 900.0, 10.0)
    spectrum = smooth(w)
    spectrum[(w > 640) & (w < 760)] = np.nan  # a water band
    out = resample(spectrum, w, None, np.array([480.0, 505, 600, 700, 800, 895]), np.full(6, 12.0))
    assert np.isnan(out[[0, 3, 5]]).all()
    np.testing.assert_allclose(out[[1, 2, 4]], smooth(np.array([505.0, 600, 800])), atol=5e-3)


def test_no_overlap_is_an_error():
    with pytest.raises(ConfigError, match="do not overlap"):
        resample(np.ones(5), np.arange(8000.0, 8050, 10), None, np.arange(400.0, 500, 10), None)


def test_missing_widths():
    np.testing.assert_allclose(filled_fwhm(np.array([400.0, 420, 410]), np.array([np.nan, 8, np.nan])), [11, 8, 11])
    assert filled_fwhm(np.array([500.0]), None) == 0
