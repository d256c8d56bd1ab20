"""Marks in maps: planted stripes and blocks are told, texture is not."""

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.evaluation.noise.marks import border_measure, borders, stripe_measure


@pytest.fixture
def texture():
    return np.random.default_rng(0).standard_normal((160, 120))


def test_stripes_are_told_by_their_strength():
    texture = np.random.default_rng(0).standard_normal((600, 500))
    assert stripe_measure(texture) == pytest.approx(1, abs=0.25)
    stripes = 0.2 * np.random.default_rng(1).standard_normal(500)
    striped = stripe_measure(texture + stripes)
    assert striped == pytest.approx(1 + 600 * 0.04, rel=0.25)  # a mean over 600 rows leaves 1/600 of the texture
    assert stripe_measure((texture + stripes).T) == pytest.approx(1 / striped)
    assert stripe_measure(3 * texture + 7) == pytest.approx(stripe_measure(texture))


def test_stripes_of_maps_with_holes_and_without_contrast(texture):
    holes = texture.copy()
    holes[:80] = np.nan
    assert stripe_measure(holes) == pytest.approx(stripe_measure(texture[80:]))
    assert stripe_measure(np.ones((5, 5))) == 1
    assert stripe_measure(np.tile([0.0, 1.0], (4, 3))) == np.inf
    for wrong in (np.ones(5), np.ones((1, 5)), np.full((5, 5), np.nan)):
        with pytest.raises(ConfigError):
            stripe_measure(wrong)


def test_borders_are_told_where_they_lie(texture):
    assert border_measure(texture, 32) == pytest.approx(1, abs=0.05)
    offsets = 4 * np.random.default_rng(1).standard_normal((5, 4))
    blocks = texture + np.kron(offsets, np.ones((32, 32)))[:, :120]
    assert border_measure(blocks, 32) > 2
    assert border_measure(blocks, 31) == pytest.approx(1, abs=0.1)
    ramp = np.add.outer(np.arange(64.0), 2 * np.arange(64.0))
    assert border_measure(ramp, 16) == pytest.approx(1)


def test_borders_of_maps_with_holes_and_without_contrast(texture):
    plain = np.kron(np.eye(2), np.ones((4, 4)))
    assert border_measure(plain, 4) == np.inf
    assert border_measure(np.ones((8, 8)), 4) == 1
    holes = np.where(texture > 1.5, np.nan, texture)
    assert border_measure(holes, 40) == pytest.approx(1, abs=0.05)
    for wrong, window in ((texture, 1), (texture, 200), (np.ones(4), 2), (np.full((8, 8), np.nan), 4)):
        with pytest.raises(ConfigError):
            border_measure(wrong, window)


def test_borders_are_told_from_edges_of_the_land():
    rng = np.random.default_rng(0)
    land = rng.standard_normal((2, 400, 400)).cumsum(axis=1).cumsum(axis=2)
    land[:, 96:] += 200  # an edge of the land on the lattice is no mark
    found = borders(land + rng.standard_normal(land.shape), land, 96)
    assert found.estimate == pytest.approx(border_measure(land, 96), rel=0.05)
    assert found.truth > 1.1
    assert abs(found.estimate / found.truth - 1) < 3 * found.spread < 0.1
    marked = land + np.kron(30 * rng.standard_normal((2, 5, 5)), np.ones((96, 96)))[:, :400, :400]
    assert borders(marked, land, 96).estimate / found.truth > 1.1
    assert borders(land, land, 200) is None  # one border tells nothing
    assert borders(np.ones((1, 9, 9)), np.ones((1, 9, 9)), 3) is None
    with pytest.raises(ConfigError, match="at least 2"):
        borders(land, land, 1)
