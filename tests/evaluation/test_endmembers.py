"""The endmember benchmark: the rival, sums over seeds, verdicts, and one run of the real thing."""

from pathlib import Path

import numpy as np
import pytest

import hsgeo
from hsgeo.errors import HsgeoError
from hsgeo.evaluation.endmembers.page import judge, summarise, to_markdown
from hsgeo.evaluation.endmembers.plan import COLUMNS, key_of, left_over, plan_cases, run_case
from hsgeo.evaluation.endmembers.rival import smoothed


def rows(ratios, *, start="vca", method="m", level="20", smooth=0.9):
    """Rows of a method: ratios by scene, one value per seed; every start is at 0.1 rad."""
    return [
        {"scene": scene, "start": start, "method": method, "snr_db": level, "seed": seed, "before_rad": "0.1",
         "after_rad": str(0.1 * ratio), "smoothed_rad": str(0.1 * smooth), "same": "1", "seconds": "0.5"}
        for scene, values in ratios.items() for seed, ratio in enumerate(values)
    ]  # fmt: skip


def test_verdicts():
    good = rows({"a": [0.5, 0.7], "b": [1.0, 0.8]}) + rows({"a": [1.02], "b": [1.0]}, level="inf")
    verdicts = judge(summarise(good))
    assert [one.passed for one in verdicts] == [True] * 4
    assert verdicts[0].value == pytest.approx((0.6 * 0.9) ** 0.5)
    assert (verdicts[1].where, verdicts[1].value) == ("b", pytest.approx(0.9))
    assert verdicts[2].value == pytest.approx((0.6 * 0.9) ** 0.5 / 0.9)
    bad = rows({"a": [0.9], "b": [1.01]}) + rows({"a": [1.03]}, level="inf")
    assert [one.passed for one in judge(summarise(bad))] == [False, False, False, False]


def test_the_page_tells_everything():
    made = to_markdown(summarise(rows({"a": [0.5], "b": [1.2]}) + rows({"a": [1.0]}, level="inf")), call="the call")
    assert "| `m` | 0.0500 (0.50) | 0.1200 (1.20) | 0.775 |" in made
    assert "`the call`" in made
    assert "## vca, clean" in made
    assert "**no**" in made


def test_a_start_without_error_has_no_ratio():
    perfect = [{**row, "before_rad": "0.0", "after_rad": "0.0"} for row in rows({"a": [1.0]}, level="inf")]
    summary = summarise(perfect)
    assert summary[0]["ratio"] is None
    assert not judge(summary)[0].passed
    assert "0.0000" in to_markdown(summary, call="")


def test_the_rival_projects_and_smooths():
    rng = np.random.default_rng(0)
    nm = np.linspace(0, 1, 60)
    E = np.stack([0.2 + 0.3 * nm, 0.5 - 0.2 * nm**2], axis=1)
    Y = rng.dirichlet([1, 1], 500) @ E.T + 0.01 * rng.standard_normal((500, 60))
    noisy = E + 0.05 * rng.standard_normal(E.shape)
    found = smoothed(noisy, Y)
    assert np.abs(found - E)[5:-5].max() < 0.3 * np.abs(noisy - E).max()
    np.testing.assert_allclose(smoothed(np.full((60, 1), 0.3), np.full((4, 60), 0.3)), 0.3, rtol=1e-9)


def test_a_run_and_what_is_left():
    cases = plan_cases(
        ["synthetic-4"], ["vca"], ["endmember-diffusion", "endmember-diffusion[prior=library]"], [10.0], 2, data=None
    )
    assert [case.seed for case in cases] == [0, 0, 1, 1]
    row = run_case(cases[0], fit=hsgeo.fit)
    assert tuple(row) == COLUMNS
    assert row["after_rad"] < row["before_rad"]
    assert row["smoothed_rad"] > 0
    assert left_over(cases, [row]) == cases[1:]
    assert key_of(row) == cases[0].key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenes": ["moon"]}, "moon"),
        ({"starts": ["moon"]}, "moon"),
        ({"methods": ["endmember-diffusion[prior=moon]"]}, "prior"),
        ({"seeds": 0}, "at least one"),
        ({"scenes": ["samson-zhu"], "data": Path("nowhere")}, "samson"),
    ],
)
def test_what_is_wrong_is_said_first(change, words):
    given = {"scenes": ["synthetic-4"], "starts": ["vca"], "methods": ["endmember-diffusion"], "levels": [20.0]}
    given |= {"seeds": 1, "data": None} | change
    with pytest.raises(HsgeoError, match=words):
        plan_cases(**given)
