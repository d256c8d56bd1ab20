"""What each pixel says by itself is the convention's closed form, and its error is what noise does to it."""

import numpy as np
import pytest
from hsgeo_hybridstu.features import reach

from hsgeo.spectra.solvers import fcls, scls
from hsgeo.spectra.solvers.estimate import estimate, mixing

BANDS, COUNT = 50, 4
NOISE = np.linspace(0.002, 0.006, BANDS)


def spectra(rng, count=COUNT):
    return 0.05 + 0.5 * np.abs(rng.normal(size=(BANDS, count))).cumsum(axis=0) / np.arange(1, BANDS + 1)[:, None]


@pytest.mark.parametrize("peak", [False, True])
def test_it_starts_from_the_closed_form(peak):
    rng = np.random.default_rng(0)
    E = spectra(rng)
    A = rng.dirichlet(np.full(COUNT, 0.4), 300)
    Y = (rng.uniform(0.5, 1.2, (300, 1)) * (A @ E.T) + rng.normal(0, NOISE, (300, BANDS))).astype(np.float32)
    Y[7, 3:9], Y[8], Y[9] = np.nan, np.nan, 0
    found = estimate(Y.T.copy(), mixing(E, NOISE, peak=peak))
    want, gain = scls(Y, E) if peak else (fcls(Y, E), np.ones(300))
    np.testing.assert_allclose(found.closed.T, want, atol=2e-5)
    assert np.isnan(found.closed[:, 8]).all()
    known = np.isfinite(want[:, 0])
    np.testing.assert_allclose(found.gain[known], gain[known], rtol=1e-4)
    assert np.isfinite(found.filled).all()
    whole = np.isfinite(Y[:, 0]) & known
    assert np.isfinite(found.plain[:, whole]).all()
    assert np.isfinite(found.std[:, whole]).all()


@pytest.mark.parametrize("peak", [False, True])
def test_the_error_told_is_the_error_made(peak):
    rng = np.random.default_rng(1)
    E, draws = spectra(rng), 4000
    a, gain = np.array([0.4, 0.3, 0.2, 0.1]), 0.8 if peak else 1.0
    noise = NOISE / 20  # small enough that no draw reaches a bound, where the first order ends
    Y = gain * (E @ a)[:, None] + rng.normal(0, 1, (BANDS, draws)) * noise[:, None]
    found = estimate(Y.astype(np.float32), mixing(E, noise, peak=peak))
    made = found.plain.std(axis=1)
    np.testing.assert_allclose(found.std.mean(axis=1), made, rtol=0.05)
    np.testing.assert_allclose(found.plain.mean(axis=1), a, atol=4 * made.max() / np.sqrt(draws))  # and no bias


def test_twins_share_abundance_and_error():
    E = spectra(np.random.default_rng(2), 3)
    E[:, 2] = E[:, 1]
    mix = mixing(E, NOISE, peak=False)
    found = estimate((E @ [[0.5], [0.25], [0.25]]).astype(np.float32), mix)
    assert np.isfinite(found.plain).all()
    np.testing.assert_allclose(found.plain[:, 0], [0.5, 0.25, 0.25], atol=1e-4)
    assert mix.correlation[1, 2] > 0.99


def test_nothing_moves_without_noise_and_nothing_far_with_it():
    std = np.array([0, 1e-4, 0.05, 1, 1e3])
    found = reach(std)
    assert found[0] == 0
    np.testing.assert_allclose(found[:3], std[:3], rtol=0.01)
    assert (np.diff(found) > 0).all()
    assert found[-1] <= 0.5
