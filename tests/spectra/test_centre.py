"""The robust centre: strangers do not move it, brightness does not bend it, corners are defined."""

import numpy as np
import pytest

from hsgeo.spectra.centre import robust_centre
from hsgeo.spectra.metrics import sad
from tests.scenes import endmembers


def angle(a, b):
    return float(sad(a[:, None], b[:, None])[0])


def test_strangers_are_left_out_and_the_length_is_that_of_the_pixels():
    soil, plant = endmembers(2)
    rng = np.random.default_rng(0)
    own = rng.lognormal(0, 0.1, (40, 1)) * soil + rng.normal(0, 0.005, (40, soil.size))
    Y = np.r_[own, np.tile(0.7 * plant, (8, 1)), [9 * soil]]
    centre, kept = robust_centre(Y)
    assert not kept[40:].any()
    assert kept[:40].sum() >= 37
    assert angle(centre, soil) < 0.01 < 0.04 < angle(Y.mean(axis=0), soil)  # measured: 0.004 and 0.049
    assert np.linalg.norm(centre) == pytest.approx(np.linalg.norm(soil), rel=0.05)
    np.testing.assert_allclose(robust_centre(1e4 * Y)[0], 1e4 * centre)  # in the units it was given


def test_corners():
    soil, plant = endmembers(2)
    centre, kept = robust_centre(soil[None])
    np.testing.assert_allclose(centre, soil)
    assert kept.all()
    np.testing.assert_allclose(robust_centre(np.tile(soil, (7, 1)))[0], soil)  # no spread at all
    bad = np.array([np.full_like(soil, np.nan), np.zeros_like(soil), np.full_like(soil, np.inf), soil])
    centre, kept = robust_centre(bad)
    np.testing.assert_allclose(centre, soil)
    assert kept.tolist() == [False, False, False, True]
    centre, kept = robust_centre(bad[:3])
    assert np.isnan(centre).all()
    assert not kept.any()
    assert np.isfinite(robust_centre(np.array([soil, -soil]))[0]).all()
    assert robust_centre(np.array([soil, plant]))[1].all()  # two cannot tell who is the stranger
