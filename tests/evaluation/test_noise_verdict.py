"""Ratios, verdicts and the page: what is met is said, and what is not, too."""

import pytest

from hsgeo.evaluation.noise.page import to_markdown
from hsgeo.evaluation.noise.verdict import geometric_mean, judge, summarise


def rows(method, errors, *, noise="white"):
    """Rows of a method: errors by (scene, level), one value per seed."""
    return [
        {"scene": scene, "method": method, "noise": noise, "snr_db": level, "seed": seed, "armse": str(error),
         "missing": "0", "seconds": "0.5", "convention": "synthetic", "scale": "physical", "device": "cpu"}
        for (scene, level), values in errors.items() for seed, error in enumerate(values)
    ]  # fmt: skip


BASE = {("a", "inf"): [0.01], ("b", "inf"): [0.0], ("a", "30"): [0.02, 0.02], ("b", "30"): [0.02, 0.02],
        ("a", "20"): [0.1, 0.3], ("b", "20"): [0.2, 0.2]}  # fmt: skip


def test_ratios_are_over_the_same_seeds():
    found = summarise(rows("closed-form", BASE) + rows("m", {("a", "20"): [0.05, 0.15, 9.0], ("a", "inf"): [0.02] * 3}))
    mine = {row["snr_db"]: row for row in found if row["method"] == "m"}
    assert mine[20.0]["ratio"] == pytest.approx(0.5)  # of the seeds that both have
    assert (mine[20.0]["runs"], mine[20.0]["worst"]) == (3, 9.0)
    assert mine[float("inf")]["ratio"] == pytest.approx(2.0)
    assert [row["ratio"] for row in found if row["method"] == "closed-form"][:3] == [1.0, None, 1.0]


def test_verdicts():
    good = {("a", "inf"): [0.0124], ("b", "inf"): [0.0019], ("a", "30"): [0.02] * 2, ("b", "30"): [0.0203] * 2,
            ("a", "20"): [0.06, 0.18], ("b", "20"): [0.04, 0.04]}  # fmt: skip
    verdicts = judge(summarise(rows("closed-form", BASE) + rows("m", good)))
    assert [one.passed for one in verdicts] == [True] * 4
    assert verdicts[0].value == pytest.approx((0.6 * 0.2) ** 0.5)
    assert (verdicts[1].where, verdicts[1].value) == ("a", pytest.approx(0.6))
    bad = {("a", "inf"): [0.0126], ("b", "inf"): [0.0], ("a", "30"): [0.0205] * 2, ("b", "30"): [0.01] * 2,
           ("a", "20"): [0.1, 0.3], ("b", "20"): [0.16, 0.16]}  # fmt: skip
    verdicts = judge(summarise(rows("closed-form", BASE) + rows("m", bad)))
    assert [one.passed for one in verdicts] == [False] * 4
    assert [one.where for one in verdicts] == ["", "a", "a", "a"]
    assert not judge(summarise(rows("m", good)))[0].passed  # without a closed form nothing is shown


def test_means():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert geometric_mean([0.5, None]) is None
    assert geometric_mean([]) is None
    assert geometric_mean([0.0, 1.0]) == 0


def test_the_page_says_what_it_holds():
    summary = summarise(rows("closed-form", BASE) + rows("tv*", {("a", "20"): [0.05, 0.15]}))
    page = to_markdown(summary, call="hsgeo benchmark noise")
    table = page[page.index("## 20 dB") :].splitlines()
    assert "| `closed-form` | 0.2000 | 0.2000 | 1.000 | 0.50 |" in table
    assert r"| *tv\** | 0.1000 (0.50) |  |  | 0.50 |" in table  # no mean where a scene is missing
    assert "1 to 2 seeds" not in page
    assert "2 seeds" in page
    assert {line.count("|") for line in table[2:6] if line} == {6}
    assert "## clean" in page
