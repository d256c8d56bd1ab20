import numpy as np
import pytest
from hsgeo_classical.extraction.archetypes import _search, extract_archetypes
from hsgeo_classical.extraction.calm import calm
from hsgeo_classical.sample import Pixels

from hsgeo.spectra.cone import cone_evidence
from hsgeo.spectra.metrics import match
from hsgeo.synthetic import random_bands, random_spectra

SIDE = 48


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(10)
    wavelength, fwhm = random_bands(rng)
    E = random_spectra(rng, 5, wavelength, fwhm)
    grounds = np.concatenate([np.eye(5), rng.dirichlet(np.ones(5), 11)])  # 16 flat ones of 12 x 12 pixels, 5 pure
    A = np.kron(rng.permutation(grounds).reshape(4, 4, 5), np.ones((12, 12, 1))).reshape(-1, 5).T
    return E, E @ A


def sample(clean, snr, *, seed=0, keep=slice(None)):
    rng = np.random.default_rng(seed)
    noisy = clean + np.sqrt(np.mean(clean**2) * 10 ** (-snr / 10)) * rng.standard_normal(clean.shape)
    row, col = np.divmod(np.arange(clean.shape[1]), SIDE)
    key = row.astype(np.uint64) << np.uint64(32) ^ col.astype(np.uint64)
    return Pixels(np.ascontiguousarray(noisy[:, keep].astype(np.float32)), key[keep])


def angle(E, true):
    return float(np.mean(match(E, true).cost))


def test_neighbours_take_noise_and_leave_the_signal(scene):
    E, clean = scene
    pixels = sample(clean, 10)
    quiet = calm(pixels, 5, seed=0)
    assert quiet.loud
    assert quiet.snr == pytest.approx(10, abs=0.5)
    before = np.mean((quiet.inward @ (pixels.Y - clean)) ** 2)
    after = np.mean((quiet.inward @ (quiet.pixels.Y - clean)) ** 2)
    assert before == pytest.approx(1, abs=0.2)
    assert after < 0.3  # 0.16 of it was put back
    inside = E[:, ::-1] + E
    assert quiet.prefers(E, inside)  # which explain less
    assert not quiet.prefers(inside, E)


def test_endmembers_of_a_loud_scene_are_nearer(scene):
    E, clean = scene
    pixels = sample(clean, 10)
    plain = _search(pixels, 5, restarts=32, scale="physical", quantile=0.5, seed=0)
    found = extract_archetypes(pixels, 5, restarts=32)
    assert angle(found.E, E) < 0.6 * angle(plain.E, E)


def test_quiet_and_scattered_pixels_are_left_alone(scene):
    _, clean = scene
    assert calm(sample(clean, 40), 5, seed=0) is None
    row, col = np.divmod(np.arange(SIDE * SIDE), SIDE)
    apart = np.flatnonzero((row % 2 == 0) & (col % 2 == 0))
    assert calm(sample(clean, 10, keep=apart), 5, seed=0) is None


def test_the_order_of_pixels_changes_nothing(scene):
    _, clean = scene
    pixels = sample(clean, 15)
    mixed = np.random.default_rng(5).permutation(pixels.Y.shape[1])
    a = calm(pixels, 5, seed=0)
    b = calm(Pixels(np.ascontiguousarray(pixels.Y[:, mixed]), pixels.key[mixed]), 5, seed=0)
    # sums over the sample round in another order; the put-back noise is the same
    np.testing.assert_allclose(b.pixels.Y, a.pixels.Y[:, mixed], rtol=0, atol=1e-4)


def test_evidence_is_highest_at_the_corners(scene):
    E, clean = scene
    X = clean / clean.std()
    c = E / clean.std()
    inner = 0.8 * c + 0.2 * c.mean(axis=1, keepdims=True)
    outer = 1.5 * c - 0.5 * c.mean(axis=1, keepdims=True)
    best = cone_evidence(X, c, variance=1e-4)
    assert best > cone_evidence(X, inner, variance=1e-4)
    assert best > cone_evidence(X, outer, variance=1e-4)
    assert cone_evidence(X, 0 * c, variance=1e-4) == -np.inf
