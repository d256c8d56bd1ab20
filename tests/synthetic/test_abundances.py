import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.synthetic import AbundanceField, Fractal


@pytest.mark.parametrize("seed", range(5))
def test_a_landscape_is_a_fair_mixture(seed):
    A = AbundanceField(70, 90, 5, seed=seed, river=2, road=4).rows(0, 70)
    assert A.shape == (5, 70, 90)
    assert A.dtype == np.float32
    assert A.min() == 0
    np.testing.assert_allclose(A.sum(0), 1, atol=2e-7)
    pure = (A == 1).sum((1, 2))
    assert pure.min() >= 50, "every material has many pure pixels"
    mixed = (A.max(0) < 1).mean()
    assert 0.1 < mixed < 0.8


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 1), (20, 17)])
def test_small_landscapes_are_legal(shape):
    A = AbundanceField(*shape, 4, seed=1, river=0).rows(0, shape[0])
    np.testing.assert_allclose(A.sum(0), 1, atol=2e-7)


def test_even_a_tiny_landscape_shows_every_material_pure():
    for seed in range(20):
        A = AbundanceField(24, 24, 6, seed=seed).rows(0, 24)
        assert (A == 1).any((1, 2)).all()


def test_blocks_of_rows_agree_bit_by_bit():
    field = AbundanceField(61, 45, 4, seed=3, river=1, road=0)
    whole = field.rows(0, 61)
    parts = [field.rows(start, min(start + 13, 61)) for start in range(0, 61, 13)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_seeds_differ_and_repeat():
    one, again, other = (AbundanceField(30, 30, 3, seed=s).rows(0, 30) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 0.1


@pytest.mark.parametrize("wrong", [{"endmembers": 0}, {"river": 7}, {"height": 0}])
def test_wrong_fields_are_refused(wrong):
    with pytest.raises(ConfigError):
        AbundanceField(**{"height": 10, "width": 10, "endmembers": 3, **wrong})


def test_fractal_noise_is_centred_and_continuous():
    noise = Fractal(5, 40.0, 5)
    y, x = np.arange(0, 400.0)[:, None], np.arange(0, 500.0)[None, :]
    field = noise(y, x)
    assert abs(field.mean()) < 0.15
    assert 0.3 < field.std() < 0.7
    assert np.abs(np.diff(field, axis=0)).max() < 0.3
