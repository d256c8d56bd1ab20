"""Noise covariance and minimum noise fraction, against Spectral Python and against planted noise."""

import numpy as np
import pytest
import spectral

from hsgeo.errors import ConfigError
from hsgeo.spectra.mnf import mnf, mnf_from_moments
from hsgeo.spectra.noise import (
    column_noise,
    covariance_of_differences,
    difference_moments,
    moments,
    noise_covariance,
    noise_from_moments,
    noise_std,
)


def scene(rows=60, cols=50, bands=30, count=4, sigma=0.01, seed=0):
    """Smooth abundances, random spectra, correlated noise; returns the image and the covariance of its noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :cols] / rows
    fields = np.stack([np.sin(3 * rng.normal() * y + 3 * rng.normal() * x + rng.normal()) for _ in range(count)], -1)
    A = np.exp(fields)
    A /= A.sum(axis=-1, keepdims=True)
    mix = np.eye(bands) + 0.4 * np.eye(bands, k=1)
    mix *= sigma * np.linspace(0.5, 2, bands)[:, None]
    noise = rng.normal(0, 1, (rows, cols, bands)) @ mix.T
    return A @ rng.uniform(0.05, 0.8, (count, bands)) + noise, mix @ mix.T


@pytest.mark.parametrize(("direction", "theirs"), [("diagonal", "lowerright"), ("across", "right"), ("down", "lower")])
def test_noise_covariance_is_that_of_spectral_python(direction, theirs):
    image, truth = scene()
    found = noise_covariance(image, direction=direction)
    np.testing.assert_allclose(found, spectral.noise_from_diffs(image, theirs).cov, rtol=1e-9, atol=1e-15)
    assert np.abs(found - truth).max() < 0.15 * truth.max()


def test_pairs_with_a_missing_value_are_left_out_and_blocks_add_up():
    image, _ = scene()
    image[10:20, 5] = np.nan
    image[0, 0, 3] = np.inf
    parts = [difference_moments(image[:, :30]), difference_moments(image[:, 29:])]
    joined = covariance_of_differences(*(sum(values) for values in zip(*parts, strict=True)))
    whole = noise_covariance(image)
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(joined, whole, rtol=1e-9)
    few = noise_covariance(image[:5, 10:15])
    assert (few == np.diag(np.diag(few))).all()


def test_edges_are_no_noise():
    image, truth = scene()
    image[:, ::5] += 0.5  # columns of another brightness: two fifths of the diagonal pairs cross an edge
    error = {keep: noise_covariance(image, keep=keep)[0, 0] / truth[0, 0] - 1 for keep in (0.5, 1.0)}
    assert abs(error[0.5]) < 0.25
    assert error[1.0] > 10


def test_mnf_is_that_of_spectral_python():
    image, _ = scene()
    mine = mnf(image)
    theirs = spectral.mnf(spectral.calc_stats(image), spectral.noise_from_diffs(image))
    np.testing.assert_allclose(mine.eigenvalues, theirs.napc.eigenvalues, rtol=1e-6)
    for count in (3, 7):
        denoised = mine.denoise(image.reshape(-1, 30), count=count)
        np.testing.assert_allclose(denoised.reshape(image.shape), theirs.denoise(image, num=count), atol=2e-6)
    ours, other = mine.transform(image, count=3), theirs.reduce(image, num=3)
    np.testing.assert_allclose(np.abs(ours), np.abs(other), atol=1e-5 * np.abs(other).max())
    np.testing.assert_allclose(mine.restore(mine.transform(image)), image, atol=1e-9)


def test_denoising_removes_noise_and_keeps_the_signal():
    clean, _ = scene(sigma=0.0)
    noisy, truth = scene()
    found = mnf(noisy, noise=truth)
    assert found.dimension == 3  # four abundances that sum to one, about their mean
    left = found.denoise(noisy.reshape(-1, 30)).reshape(noisy.shape) - clean
    assert left.std() < 0.45 * (noisy - clean).std()  # three of thirty directions keep their noise: 0.32


def test_missing_bands_are_left_out():
    image, truth = scene()
    Y = image.reshape(-1, 30)[:40].astype(np.float32)
    found = mnf(image, noise=np.diag(np.diag(truth)))
    holes = Y.copy()
    holes[:20, 4], holes[7] = np.nan, np.nan
    out, whole = found.denoise(holes), found.denoise(Y)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(holes))
    assert out[20:].tobytes() == whole[20:].tobytes()
    np.testing.assert_allclose(out[~np.isnan(out)], whole[~np.isnan(out)], atol=0.01)
    # the fit of the kept components to the bands that are there, weighted by their noise
    there = np.arange(30) != 4
    weight = np.diag(1 / np.diag(truth)[there])
    G = found.inverse[: found.dimension][:, there]
    z = np.linalg.solve(G @ weight @ G.T, G @ weight @ (Y[0, there] - found.mean[there]))
    np.testing.assert_allclose(out[0, there], found.mean[there] + z @ G, atol=1e-5)


def test_column_noise_finds_the_bad_columns():
    image, _ = scene(rows=300, sigma=0.0)
    rng = np.random.default_rng(1)
    sigma = np.full((50, 30), 0.005)
    sigma[13], sigma[20:30, 7] = 0.015, 0.02
    image += rng.normal(0, 1, image.shape) * sigma
    image[5, 5] = np.nan
    found = column_noise(image)
    assert np.median(np.abs(found / sigma - 1)) < 0.1  # the predictors are noisy themselves
    assert np.abs(found / sigma - 1).max() < 0.35
    image[:, 3] = np.nan
    assert np.isnan(column_noise(image)[3]).all()
    overall = noise_std(image.reshape(-1, 30))
    np.testing.assert_allclose(np.sqrt(np.nanmean(column_noise(image) ** 2, axis=0)), overall, rtol=0.01)


def test_noise_from_sums_is_noise_std():
    Y = scene()[0].reshape(-1, 30)
    count, _, second = moments(Y)
    assert noise_from_moments(count, second).tobytes() == noise_std(Y).tobytes()


def test_constant_and_dead_bands_do_no_harm():
    image, _ = scene()
    image[..., 3], image[..., 4] = 0.0, 0.25
    found = mnf(image)
    out = found.denoise(image.reshape(-1, 30)).reshape(image.shape)
    assert np.isfinite(found.eigenvalues).all()
    np.testing.assert_allclose(out[..., 3], 0.0, atol=1e-6)
    np.testing.assert_allclose(out[..., 4], 0.25, atol=1e-6)


def test_what_cannot_be_done_is_said():
    image, _ = scene()
    found = mnf(image)
    for call in (
        lambda: mnf(image.reshape(-1, 30)),
        lambda: mnf(image, noise=np.ones(4)),
        lambda: mnf(np.full((3, 3, 4), np.nan)),
        lambda: mnf(image[:1, :1]),
        lambda: found.denoise(image.reshape(-1, 30), count=31),
        lambda: found.transform(image, count=0),
        lambda: noise_covariance(image[0]),
        lambda: noise_covariance(image, keep=0.0),
        lambda: column_noise(image[:2, :2]),
        lambda: mnf_from_moments(1, np.ones(2), np.eye(2), noise=np.eye(2)),
    ):
        with pytest.raises(ConfigError):
            call()
