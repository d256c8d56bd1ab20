"""The uncertainty benchmark: a sampler of known coverage is measured as what it is, run as users run it."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from hsgeo.api import fit, unmix
from hsgeo.errors import ConfigError, HsgeoError
from hsgeo.evaluation.rows import append, read
from hsgeo.evaluation.uncertainty.plan import COLUMNS, left_over, plan_cases, run_case
from hsgeo.evaluation.uncertainty.scenes import TRUTHS, WORLDS, World, unseen_scene
from hsgeo.evaluation.uncertainty.statement import Statement, statement_of
from hsgeo.evaluation.uncertainty.tally import pooled, tally
from hsgeo.evaluation.uncertainty.verdict import judge, summarise
from hsgeo.spectra.metrics import LEVELS
from hsgeo.synthetic import Effects

SAMPLER = (Path(__file__).parents[1] / "fakes" / "sampler.py",)
SNR = 25.0


@pytest.fixture
def _tiny(monkeypatch):
    """A linear scene of 1200 pixels."""
    names = ("soil", "green-vegetation", "water")
    world = World("small", "landscape", names, (420.0, 2400.0, 60.0), False, Effects(), (30, 40))
    monkeypatch.setitem(WORLDS, "tiny", world)
    unseen_scene.cache_clear()
    yield
    unseen_scene.cache_clear()


def sampler(**options):
    """The fake sampler, told the noise of the tiny scene."""
    noise = np.sqrt(np.mean(unseen_scene("tiny", 0).image.astype(float) ** 2)) * 10 ** (-SNR / 20)
    told = {"noise": f"{noise:.6g}", "bounded": "false", **options}
    return f"fake-sampler[{','.join(f'{key}={value}' for key, value in told.items())}]"


def run(method):
    closed, ours = plan_cases(["tiny"], [method], [SNR], 1, plugins=SAMPLER)
    assert closed.method == "closed-form"
    return run_case(ours, fit=fit, unmix=unmix)


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("stretch", [1.0, 0.5])
def test_a_sampler_of_known_coverage_is_measured_as_what_it_is(stretch):
    rows = run(sampler(samples=39, stretch=stretch))
    assert [row["truth"] for row in rows] == list(TRUTHS)
    for row in rows:  # a linear scene: both truths are the same
        for level in LEVELS:
            expected = 2 * norm.cdf(stretch * norm.ppf((1 + level) / 2)) - 1
            for group in ("inside", "zero", "all"):
                assert row[f"{group}_cover_{level:g}"] == pytest.approx(expected, abs=0.04), (group, level)
        assert row["source"] == "samples"
        assert row["samples"] == 39
        assert row["missing"] == 0
    one, at = judge(summarise(rows))
    assert one.passed == at.passed == (stretch == 1.0)


@pytest.mark.usefixtures("_tiny")
def test_stated_quantiles_count_before_samples_and_a_bold_one_is_found():
    rows = run(sampler(samples=19, quantiles="[0.05,0.95]"))
    assert rows[0]["source"] == "samples+quantiles"
    assert rows[0]["all_cover_0.9"] == pytest.approx(0.9, abs=0.03)


def test_unseen_scenes_are_drawn_again_and_differ():
    for name, world in WORLDS.items():
        scene = unseen_scene(name, 3)
        pixels = world.size[0] * world.size[1]
        assert scene.image.shape == (*world.size, scene.wavelength.size)
        for truth in scene.truths.values():
            assert truth.shape == (pixels, len(scene.names))
            np.testing.assert_allclose(truth.sum(axis=1), 1, atol=1e-5)
            assert ((truth == 0).mean() > 0.01) & (((truth > 0.02) & (truth < 0.98)).mean() > 0.1)
        if "linear" in world.summary:
            np.testing.assert_allclose(*scene.truths.values(), atol=2e-3)
    first = unseen_scene("garden", 0).image
    unseen_scene.cache_clear()
    np.testing.assert_array_equal(first, unseen_scene("garden", 0).image)
    assert not np.array_equal(first, unseen_scene("garden", 1).image)
    with pytest.raises(ConfigError, match="moon"):
        unseen_scene("moon", 0)


def product(**more):
    """Two endmembers, three pixels, free sums."""
    A = np.array([[[0.6, 2.0, np.nan]], [[0.2, 2.0, np.nan]]], np.float32)
    ds = xr.Dataset({"abundance": (("endmember", "y", "x"), A)}, {"endmember": ["b", "a"]}, {"sum": "free"})
    return ds.assign({name: (dims, values) for name, (dims, values) in more.items()})


def test_statements_are_read_in_order_and_convention():
    std = (("endmember", "y", "x"), np.full((2, 1, 3), 0.08))
    found = statement_of(product(abundance_std=std), ("a", "b"), method="x")
    np.testing.assert_allclose(found.A[:2], [[0.25, 0.75], [0.5, 0.5]])
    np.testing.assert_allclose(found.std[:2], [[0.1, 0.1], [0.02, 0.02]])
    low, high, source = found.interval(0.9)
    assert source == "std"
    np.testing.assert_allclose(high[0], [0.25 + 1.6449 * 0.1, 0.75 + 1.6449 * 0.1], atol=1e-4)
    assert np.isnan(low[2]).all()
    draws = (("sample", "endmember", "y", "x"), np.stack([product()["abundance"].values * k for k in (1, 3)]))
    found = statement_of(product(abundance_sample=draws), ("b",), method="x")
    np.testing.assert_allclose(found.std[:2], 0)  # each draw is divided by its own sum
    assert found.interval(0.9)[2] == "samples"
    with pytest.raises(ConfigError, match="no uncertainty"):
        statement_of(product(), ("a", "b"), method="x")
    with pytest.raises(ConfigError, match="no abundance of c"):
        statement_of(product(abundance_std=std), ("a", "c"), method="x")


def test_tally_and_pool_by_hand():
    truth = np.array([[0.0, 1.0], [0.5, 0.5], [0.1, 0.9], [0.3, 0.7]])
    A = truth + np.array([[0, 0], [0.1, -0.1], [0.3, -0.3], [np.nan, np.nan]])
    row = tally(Statement(A, np.full(A.shape, 0.1), None, {}), truth)
    assert (row["inside_n"], row["zero_n"], row["all_n"], row["missing"]) == (4, 1, 6, 1)
    assert row["inside_cover_0.5"] == 0
    assert row["inside_cover_0.8"] == 0.5  # 0.1 is 1 std, 0.3 is 3
    assert row["zero_cover_0.5"] == 1
    assert row["zero_width_0.5"] == pytest.approx(0.06745, abs=1e-5)  # cut at 0
    other = dict(row, inside_n=12, **{"inside_cover_0.8": 1.0})
    both = pooled([row, {key: "" if value is None else str(value) for key, value in other.items()}])
    assert both["inside_cover_0.8"] == pytest.approx((4 * 0.5 + 12) / 16)
    assert both["missing"] == 2
    empty = tally(Statement(np.full((4, 2), np.nan), np.full((4, 2), np.nan), None, {}), truth)
    assert empty["missing"] == 4
    assert pooled([empty])["inside_cover_0.9"] is None
    assert pooled([empty])["crps"] is None


@pytest.mark.usefixtures("_tiny")
def test_a_stopped_benchmark_goes_on(tmp_path):
    cases = plan_cases(["tiny"], [], [30.0, 20.0], 1)
    path = tmp_path / "u.csv"
    rows = run_case(cases[0], fit=fit, unmix=unmix)
    append(path, COLUMNS, rows[:1])  # killed between the truths
    assert left_over(cases, read(path, COLUMNS)) == cases
    append(path, COLUMNS, rows)
    assert left_over(cases, read(path, COLUMNS)) == cases[1:]
    assert summarise(read(path, COLUMNS))[0]["runs"] >= 1
    assert 0.8 < rows[0]["inside_cover_0.9"] <= 1  # plain least squares errs more than the closed form


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    ("scenes", "methods", "levels", "seeds"),
    [
        (["moon"], [], [20.0], 1),
        (["tiny"], [], [float("inf")], 1),
        (["tiny"], [], [20.0], 0),
        (["tiny"], ["fcls"], [20.0], 1),
        (["tiny"], ["nothing"], [20.0], 1),
        (["tiny"], ["fake-sampler[oil=1]"], [20.0], 1),
    ],
)
def test_bad_plans_are_refused_before_the_first_run(scenes, methods, levels, seeds):
    with pytest.raises(HsgeoError):
        plan_cases(scenes, methods, levels, seeds, plugins=SAMPLER)
