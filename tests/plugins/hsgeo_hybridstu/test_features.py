"""The network is told the same about every sensor and any number of endmembers, and never something infinite."""

import numpy as np
import pytest
from hsgeo_hybridstu.features import features

from hsgeo.nn.pixel_maps import MAPS
from hsgeo.nn.spectral_volume import VOLUME, WINDOW_EDGES
from hsgeo.scene import sensor
from hsgeo.spectra.solvers.estimate import mixing

SIDE = 16


def bands(name):
    """Return good bands of a sensor, nm; ``vnir64``: 64 bands without a mission."""
    if name == "vnir64":
        return np.linspace(410, 990, 64)
    found = sensor(name)
    return np.sort(found.wavelength[found.good])


def window(wavelength, count, *, seed=0, noise=0.005):
    """Return a noisy window ``(band, y, x)`` and its mixing."""
    rng = np.random.default_rng(seed)
    centre, width = rng.uniform(wavelength[0], wavelength[-1], count), rng.uniform(80, 400, count)
    E = 0.08 + rng.uniform(0.1, 0.5, count) * np.exp(-0.5 * ((wavelength[:, None] - centre) / width) ** 2)
    A = rng.dirichlet(np.full(count, 0.5), SIDE * SIDE)
    Y = (E @ A.T + rng.normal(0, noise, (wavelength.size, SIDE * SIDE))).astype(np.float32)
    return Y.reshape(-1, SIDE, SIDE), mixing(E, np.full(wavelength.size, max(noise, 1e-9)), peak=False)


def arrays(found):
    return {name: getattr(found, name) for name in ("maps", "volume", "closed", "reach", "correlation")}


@pytest.mark.parametrize("name", ["prisma", "enmap", "emit", "desis", "vnir64"])
def test_every_sensor_is_told_in_the_same_words(name):
    wavelength = bands(name)
    Y, mix = window(wavelength, 4)
    found = features(Y, wavelength, mix)
    assert found.maps.shape == (4, MAPS, SIDE, SIDE)
    assert found.volume.shape == (4, VOLUME, len(WINDOW_EDGES), SIDE // 2, SIDE // 2)
    for values in arrays(found).values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert np.abs(values).max() < 20
    low, high = np.transpose(WINDOW_EDGES)
    there = ((wavelength[:, None] >= low) & (wavelength[:, None] < high)).any(axis=0)
    np.testing.assert_array_equal(found.volume[:, 4], np.broadcast_to(there[:, None, None], found.volume[:, 4].shape))
    assert not found.volume[:, :, ~there].any()


@pytest.mark.parametrize("bad", ["nan", "lacking", "dark", "all nan", "dead band"])
def test_bad_pixels_are_no_input(bad):
    wavelength = bands("vnir64")
    Y, mix = window(wavelength, 3)
    clean = features(Y, wavelength, mix)
    if bad == "nan":
        Y[:, 4, 5] = np.nan
    elif bad == "lacking":
        Y[10:13, 4, 5] = np.nan
    elif bad == "dark":
        Y[:, 4, 5] = 0
    elif bad == "all nan":
        Y[:] = np.nan
    else:
        Y[20] = 0.1
    found = features(Y, wavelength, mix)
    assert all(np.isfinite(values).all() for values in arrays(found).values())
    missing = bad in ("nan", "all nan")
    assert found.valid[4, 5] == (not missing)
    assert found.valid[0, 0] == (bad != "all nan")
    if missing:
        assert not found.maps[:, :, 4, 5].any()
        assert not found.reach[:, 4, 5].any()
    if bad in ("nan", "lacking", "dark"):
        elsewhere = np.ones((SIDE, SIDE), bool)
        elsewhere[4, 5] = False
        np.testing.assert_array_equal(found.maps[..., elsewhere], clean.maps[..., elsewhere])
