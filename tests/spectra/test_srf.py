"""Sensor response against direct numeric integration and Spectral Python."""

import logging

import numpy as np
import pytest
from spectral import BandResampler

from hsgeo.errors import ConfigError
from hsgeo.scene.catalog import sensor
from hsgeo.spectra.srf import coarseness, filled_fwhm, gaps, resample


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


@pytest.mark.parametrize("name", ["prisma", "enmap", "emit"])
def test_against_spectral_python_on_265_spectra(data_dir, name):
    """Root mean square over all spectra and bands; single bands at steep edges differ, see the next test."""
    logging.getLogger("spectral").setLevel(logging.CRITICAL)
    table = np.load(data_dir / "libraries" / "ecostress_subset_5nm.npz")
    w, spectra = table["wavelength_nm"], table["spectra"].astype(np.float64)
    to, width = sensor(name), np.full(w.size, 5.0)
    theirs = BandResampler(w, to.wavelength, width, to.fwhm).matrix @ spectra
    ours = resample(spectra.T, w, width, to.wavelength, to.fwhm).T
    both = np.isfinite(ours).all(axis=1)
    assert both.mean() > 0.98
    difference = ours[both] - theirs[both]
    assert np.sqrt(np.mean(difference**2)) < 1e-3
    assert (np.abs(difference) < 1e-3).mean() > 0.97


def test_where_spectral_python_differs_direct_integration_agrees_with_us(data_dir):
    """It cuts a band's response off at half its width, which shows at the red edge."""
    file = next((data_dir / "libraries" / "ecostress_raw_samples").glob("vegetation*vh350*"))
    rows = [line.split() for line in file.read_text().splitlines()[20:] if line.strip()]
    w, spectrum = (np.array(column, float) for column in zip(*rows, strict=True))
    w, spectrum, to = w * 1000, spectrum / 100, sensor("prisma")
    band = int(np.abs(to.wavelength - 689.5).argmin())
    fine = np.arange(600.0, 800.0, 0.01)
    response = np.exp(-4 * np.log(2) * ((fine - to.wavelength[band]) / to.fwhm[band]) ** 2)
    direct = np.sum(response * np.interp(fine, w, spectrum)) / response.sum()
    points = np.full(w.size, 1e-3)
    ours = resample(spectrum, w, points, to.wavelength, to.fwhm)[band]
    theirs = BandResampler(w, to.wavelength, np.full(w.size, 1.0), to.fwhm)(spectrum)[band]
    assert abs(ours - direct) < 1e-6
    assert abs(theirs - direct) > 4e-3


def test_overlapping_detectors_make_no_gap():
    w = np.sort(np.concatenate([np.arange(400.0, 680, 9.8), np.arange(667.0, 1200, 9.8)]))  # neighbours 0.2 nm apart
    assert not gaps(w, None).any()
    assert np.isfinite(resample(smooth(w), w, None, np.arange(420.0, 1180, 10), None)).all()
    assert gaps(np.array([400.0, 410, 420, 900, 910]), None).tolist() == [False, False, True, False]


def test_unknown_widths_are_those_of_the_samples_that_a_spectrum_has():
    """Spectra of two grids in one array are resampled as if each were alone."""
    coarse, fine = np.arange(400.0, 1001, 10), np.arange(400.5, 1001, 1)
    w = np.concatenate([coarse, fine])
    both = np.full((2, w.size), np.nan)
    both[0, : coarse.size], both[1, coarse.size :] = smooth(coarse), smooth(fine)
    to, width = np.arange(450.0, 950, 25), np.full(20, 20.0)
    out = resample(both, w, None, to, width)
    np.testing.assert_array_equal(out[0], resample(smooth(coarse), coarse, None, to, width))
    np.testing.assert_array_equal(out[1], resample(smooth(fine), fine, None, to, width))


def test_how_coarse_a_library_is():
    w = np.arange(400.0, 1001, 50)
    to, width = np.array([390.0, 425, 430, 450, 800]), np.full(5, 10.0)
    np.testing.assert_allclose(coarseness(w, None, to, width), [np.nan, 5, 5, 1, 1])  # on a sample: as good as it gets
    np.testing.assert_allclose(coarseness(w, np.full(13, 60.0), to, width), [np.nan, 6, 6, 6, 6])
    np.testing.assert_allclose(coarseness(np.arange(400.0, 1001), None, to[1:], width[1:]), 1)
