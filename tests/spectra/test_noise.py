"""Noise and subspace of data with known noise."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.spectra.noise import noise_floor, noise_std
from hsgeo.spectra.simplex import project_simplex
from hsgeo.spectra.subspace import principal_subspace, project, signal_subspace


def scene(pixels, bands, count, sigma, seed=0):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0, 1, (bands, count))
    A = project_simplex(rng.normal(0.3, 0.4, (pixels, count)))
    return (A @ E.T + rng.normal(0, 1, (pixels, bands)) * sigma).astype(np.float32)


@pytest.mark.parametrize("pixels", [5000, 400, 120, 60])
def test_noise_is_found(pixels):
    sigma = np.linspace(0.01, 0.03, 100)
    found = noise_std(scene(pixels, 100, 4, sigma))
    # with few pixels one band is uncertain, but not all of them together
    assert np.median(found / sigma) == pytest.approx(1, abs=0.03 if pixels >= 400 else 0.25)
    assert noise_floor(scene(pixels, 100, 4, 0.02)) == pytest.approx(0.02, rel=0.05 if pixels >= 400 else 0.15)


def test_few_and_no_pixels():
    assert (noise_std(scene(2, 50, 2, 0.01)) > 0).all()
    assert noise_floor(scene(1, 50, 2, 0.01)) == 0
    with pytest.raises(ConfigError):
        noise_std(np.full((3, 4), np.nan))


def test_nan_pixels_change_nothing():
    Y = scene(500, 40, 3, 0.01)
    holes = np.concatenate([Y, np.full((1, 40), np.nan, np.float32)])
    assert noise_std(Y).tobytes() == noise_std(holes).tobytes()


@pytest.mark.parametrize("count", [2, 5, 9])
def test_the_signal_has_as_many_dimensions_as_materials(count):
    Y = scene(4000, 120, count, np.linspace(0.005, 0.02, 120))
    subspace = signal_subspace(Y)
    assert subspace.dimension == count
    np.testing.assert_allclose(subspace.basis.T @ subspace.basis, np.eye(count), atol=1e-9)
    clean = scene(4000, 120, count, 0.0)
    assert np.abs(project(Y, subspace) - clean).std() < 0.5 * np.abs(Y - clean).std()
    assert principal_subspace(Y, 3).dimension == 3
