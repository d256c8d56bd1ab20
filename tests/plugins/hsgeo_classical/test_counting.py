"""Counting: as the papers' equations say, right where the model holds, and handed on along the chain."""

import numpy as np
import pytest
from hsgeo_classical.config import CountingOptions, NwhfcOptions
from hsgeo_classical.counting.hysime import Hysime, hysime
from hsgeo_classical.counting.nwhfc import Nwhfc, nwhfc
from scipy.stats import norm

import hsgeo
from hsgeo.errors import ConfigError, SceneError
from hsgeo.spectra.noise import noise_std
from hsgeo.synthetic import MATERIALS, reflectance, synthetic_scene

WAVELENGTH = np.arange(400.0, 2500.0, 40.0)


def mixed(count, snr_db, pixels=3000, seed=0):
    """Pixels ``(pixels, bands)`` of a linear scene and their noise."""
    rng = np.random.default_rng(seed)
    E = reflectance(MATERIALS[:count], WAVELENGTH, np.full(WAVELENGTH.size, 40.0))
    Y = rng.dirichlet(np.full(count, 0.5), pixels) @ E.T
    noise = np.sqrt(np.mean(Y**2)) * 10 ** (-snr_db / 20)
    return (Y + noise * rng.standard_normal(Y.shape)).astype(np.float32), noise


def published_hysime(Y):
    """Algorithms 1 and 2 pixel by pixel, band by band, ``Y (bands, pixels)``."""
    bands, pixels = Y.shape
    W = np.empty_like(Y)
    for band in range(bands):
        others = np.delete(Y, band, axis=0)
        weights = np.linalg.lstsq(others.T, Y[band], rcond=None)[0]
        W[band] = Y[band] - weights @ others
    X = Y - W
    R_y, R_x = Y @ Y.T / pixels, X @ X.T / pixels
    R_n = np.diag(np.diag(W @ W.T / pixels)) + np.trace(R_x) / bands / 1e5 * np.eye(bands)
    E = np.linalg.svd(R_x)[0]
    cost = -np.diag(E.T @ R_y @ E) + 2 * np.diag(E.T @ R_n @ E)
    return int((cost < 0).sum()), np.sqrt((W**2).mean(axis=1)), cost


@pytest.mark.parametrize(("count", "snr_db"), [(3, 40.0), (7, 30.0), (5, 20.0)])
def test_hysime_is_the_published_one(count, snr_db):
    Y, _ = mixed(count, snr_db, pixels=1000)
    expected, noise, cost = published_hysime(Y.T.astype(float))
    found = hysime(Y)
    assert found.count == expected
    np.testing.assert_allclose(found.noise, noise, rtol=1e-6)
    # the directions of the noise are degenerate: there the two need not agree one by one
    np.testing.assert_allclose(found.cost[:count], cost[:count], rtol=1e-6)


@pytest.mark.parametrize("false_alarm", [1e-2, 1e-4])
def test_nwhfc_is_the_published_one(false_alarm):
    Y, _ = mixed(6, 30.0)
    noise = noise_std(Y)
    white = Y.astype(float) / noise
    R = np.sort(np.linalg.eigvalsh(white.T @ white / len(Y)))[::-1]
    K = np.sort(np.linalg.eigvalsh(np.cov(white.T, bias=True)))[::-1]
    tau = norm.isf(false_alarm) * np.sqrt(2 / len(Y) * (R**2 + K**2))
    found = nwhfc(Y, false_alarm=false_alarm, noise=noise)
    assert found.count == np.count_nonzero(np.greater(R - K, tau))
    np.testing.assert_allclose(found.threshold, tau, rtol=1e-9)


@pytest.mark.parametrize("count", [3, 5, 8, 10])
def test_hysime_counts_linear_scenes(count):
    Y, noise = mixed(count, 50.0)
    found = hysime(Y)
    assert found.count == count
    assert np.median(found.noise) == pytest.approx(noise, rel=0.15)  # above: bands that predict are noisy themselves
    assert hysime(Y, noise=np.full(Y.shape[1], noise)).count == count


def test_noise_is_no_endmember():
    rng = np.random.default_rng(0)
    counts = [nwhfc(rng.standard_normal((2000, 40)), false_alarm=1e-3).count for _ in range(20)]
    assert np.mean(counts) < 0.2
    Y, _ = mixed(4, np.inf)
    assert hysime(Y).count == 4  # and float32's rounding is none either
    assert nwhfc(Y).count <= 4


@pytest.mark.parametrize(
    "change",
    [
        lambda Y: Y[:30],  # fewer pixels than bands
        lambda Y: np.where(np.arange(Y.shape[1]) == 3, 0, Y),  # a dead band
        lambda Y: np.where(np.arange(Y.shape[1]) == 3, 0.5, Y),  # a constant one
        lambda Y: np.repeat(Y[:100], 30, axis=0),
        lambda Y: np.where(np.arange(len(Y))[:, None] < 50, np.nan, Y),
        lambda Y: Y[:, :1],
    ],
)
def test_odd_data_have_a_defined_count(sample_of, ctx, change):
    Y = change(mixed(4, 40.0)[0])
    for stage, options in ((Hysime, CountingOptions), (Nwhfc, NwhfcOptions)):
        state = stage(options(most=7)).fit(sample_of(Y.T, 50), ctx)
        assert 1 <= int(state["count"]) <= min(7, *Y.shape)
        assert np.isfinite(state["noise"].values).all()


def test_what_cannot_be_counted_is_said(sample_of, ctx):
    for empty in (np.full((20, 50), np.nan), np.zeros((20, 50))):
        with pytest.raises(SceneError, match="none of"):
            Hysime(CountingOptions()).fit(sample_of(empty, 10), ctx)
    with pytest.raises(ConfigError, match=r"false_alarm=0\.7"):
        nwhfc(np.ones((5, 3)), false_alarm=0.7)


def test_a_product_keeps_the_count_and_its_endmembers():
    scene = synthetic_scene(40, 50, wavelength=WAVELENGTH, fwhm=np.full(WAVELENGTH.size, 40.0), snr_db=45.0).scene
    stages = [{"use": "hysime", "with": {"most": 4}}, {"use": "sivm"}, {"use": "fcls"}]
    product = hsgeo.unmix(scene, stages=stages).compute()
    assert int(product["count"]) == product.sizes["endmember"] == 4
    good = product["good"].values
    assert (product["noise"].values[good] > 0).all()
    assert np.isnan(product["noise"].values[~good]).all()
