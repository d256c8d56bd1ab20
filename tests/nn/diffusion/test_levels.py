"""Levels and draws: known values of the tables, falling levels whatever is asked, errors that say what is wrong."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from hsgeo.errors import ConfigError
from hsgeo.nn.diffusion import (
    alpha_bar_of,
    checked_levels,
    cosine_vp,
    edm_levels,
    entered,
    linear_vp,
    lognormal_sigmas,
    sigma_of,
    sub_levels,
    table_sigmas,
)

LINEAR = linear_vp()


def test_levels_do_not_load_torch():
    code = "import sys, hsgeo.nn.diffusion; print('torch' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]


@given(st.floats(1e-4, 1e4))
def test_level_and_share_of_signal_are_each_other_s_inverse(sigma):
    assert sigma_of(alpha_bar_of(sigma)) == pytest.approx(sigma, rel=1e-7)


def test_the_tables_have_their_known_values():
    assert alpha_bar_of(LINEAR[-1]) == pytest.approx(4.0358e-5, rel=1e-4)  # of the DDPM paper's schedule
    assert LINEAR[0] == pytest.approx(np.sqrt(1e-4 / (1 - 1e-4)))
    cosine = cosine_vp()
    s = 0.008
    half = np.cos((0.5 + s) / (1 + s) * np.pi / 2) ** 2 / np.cos(s / (1 + s) * np.pi / 2) ** 2
    assert alpha_bar_of(cosine[499]) == pytest.approx(half)
    assert np.isfinite(cosine).all()
    assert np.all(np.diff(cosine) > 0)
    levels = edm_levels(18)
    assert levels.shape == (19,)
    assert (levels[0], levels[-2], levels[-1]) == (80, 0.002, 0)
    assert levels[1] == pytest.approx(57.5860, rel=1e-5)  # of the EDM sampler with its defaults
    assert np.array_equal(edm_levels(1, high=3), [3, 0])


@given(st.integers(1, 60), st.sampled_from(["trailing", "quad", "root"]))
def test_chosen_levels_fall_from_the_last_of_the_table_to_zero(n, spacing):
    table = linear_vp(60)
    levels = checked_levels(sub_levels(table, n=n, spacing=spacing))
    assert levels.shape == (n + 1,)
    assert levels[0] == table[-1]
    assert levels[-1] == 0
    assert np.isin(levels[:-1], table).all()


def test_spacings_crowd_where_they_say():
    assert np.array_equal(sub_levels(LINEAR, n=10)[:-1], LINEAR[999::-100])
    assert np.array_equal(sub_levels(LINEAR, n=1000)[:-1], LINEAR[::-1])
    quad, even, root = (np.median(sub_levels(LINEAR, n=20, spacing=s)) for s in ("quad", "trailing", "root"))
    assert quad < even < root


def test_levels_begin_where_an_estimate_stands():
    assert np.array_equal(entered([4, 2, 1, 0], sigma=1.5), [1.5, 1, 0])
    assert np.array_equal(entered([4, 2, 1, 0], sigma=2), [2, 1, 0])
    assert np.array_equal(entered([4, 2, 1, 0], sigma=4), [4, 2, 1, 0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: checked_levels([1.0]), "shape"),
        (lambda: checked_levels([1.0, 1.0, 0.0]), "each below"),
        (lambda: checked_levels([1.0, 0.0, -1.0]), "each below"),
        (lambda: checked_levels([np.nan, 0.0]), "each below"),
        (lambda: checked_levels(["a", "b"]), "falling numbers"),
        (lambda: entered([2, 1, 0], sigma=3), "at most 2"),
        (lambda: entered([2, 1], sigma=1), "End the levels with 0"),
        (lambda: entered([2, 1, 0], sigma=0), "above 0"),
        (lambda: sub_levels(LINEAR, n=1001), "1 to 1000"),
        (lambda: sub_levels(LINEAR, n=0), "1 to 1000"),
        (lambda: sub_levels(LINEAR[::-1], n=5), "does not rise"),
        (lambda: sub_levels(LINEAR, n=5, spacing="odd"), "trailing"),
        (lambda: edm_levels(0), "1 or more"),
        (lambda: edm_levels(5, low=2, high=1), "low < high"),
        (lambda: linear_vp(1), "2 or more"),
        (lambda: linear_vp(10, beta=(0.5, 0.1)), "first <= last"),
        (lambda: cosine_vp(10, most=1), "most between"),
        (lambda: sigma_of(0.0), "above 0"),
        (lambda: alpha_bar_of(-1.0), "0 or more"),
        (lambda: lognormal_sigmas(4, rng=np.random.default_rng(0), std=0), "std above 0"),
        (lambda: table_sigmas(0, rng=np.random.default_rng(0), table=LINEAR), "1 or more"),
        (lambda: table_sigmas(4, rng=np.random.default_rng(0), table=[0.0, 1.0]), "above 0"),
    ],
)
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(ConfigError, match=said):
        call()


def test_drawn_levels_follow_their_distribution_and_spread_over_the_batch():
    draws = [lognormal_sigmas(64, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    free = lognormal_sigmas(4000, rng=np.random.default_rng(3), stratified=False)
    assert kstest((np.log(free) + 1.2) / 1.2, "norm").pvalue > 0.01
    u = kstest((np.log(draws[0]) + 1.2) / 1.2, "norm").statistic
    assert u <= 1 / 64 + 1e-9  # one in each of 64 equal parts; 64 free draws stray by about 0.1
    assert np.any(np.diff(draws[0]) < 0)  # not sorted: examples of a batch must not stand in the order of their noise

    table = LINEAR[:100]
    drawn = table_sigmas(100, rng=np.random.default_rng(4), table=table)
    assert np.array_equal(np.sort(drawn), table)
    many = table_sigmas(20000, rng=np.random.default_rng(5), table=table, stratified=False)
    assert np.bincount(np.searchsorted(table, many), minlength=100) == pytest.approx(200, abs=75)
    clipped = lognormal_sigmas(500, rng=np.random.default_rng(6), low=0.1, high=1)
    assert (clipped.min(), clipped.max()) == (0.1, 1)
