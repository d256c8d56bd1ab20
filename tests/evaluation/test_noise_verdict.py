"""Ratios, verdicts and the page: what is met is said, and what is not, too."""

import pytest

from hsgeo.evaluation.noise.page import beside, cells, columns, to_markdown
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
    assert [one.where for one in verdicts] == ["2 scenes", "a", "a", "a, clean"]
    assert not judge(summarise(rows("m", good)))[0].passed  # without a closed form nothing is shown


def prior_rows(level, ratios, *, shipped, network):
    """Rows on the five scenes and two procedural ones: tv* errs by 0.1, vector-tv and others by these times as much."""
    scenes = ("samson-zhu", "jasper-zhu", "sim1", "dc1", "procedural-0", "procedural-1")
    at = [(scene, level) for scene in scenes]
    found = rows("closed-form", {key: [0.2] for key in at}) + rows("tv*", {key: [0.1] for key in at})
    for method, factors in (("vector-tv", ratios), (SHIPPED, shipped), (NETWORK, network)):
        found += rows(method, {key: [0.1 * factor] for key, factor in zip(at, factors, strict=True)})
    return found


SHIPPED, NETWORK = "hybridstu+abundance-diffusion", "hybridstu+abundance-diffusion[samples=4,choose=network]"


def test_a_learned_prior_is_held_against_total_variation():
    table = prior_rows(
        "15", [1.0, 1.0, 0.7, 0.8, 1, 1], shipped=[0.9, 0.9, 0.7, 0.82, 0.8, 0.84], network=[0.8, 0.98, 2, 2, 1, 1]
    ) + prior_rows(
        "10", [1.0, 1.0, 0.7, 0.8, 1, 1], shipped=[0.8, 1.04, 0.7, 0.82, 0.8, 0.84], network=[0.8, 0.98, 2, 2, 1, 1]
    )  # fmt: skip
    found = {one.requirement: one for one in judge(summarise(table)) if one.method == SHIPPED}
    mean = found["15, 10 dB, over tv*, mean"]
    assert (mean.value, mean.where) == (pytest.approx((0.85 + 0.97 + 0.7 + 0.82) / 4), "4 scenes")  # 0.835
    assert mean.passed
    assert found["15, 10 dB, over tv*, worst scene"].passed
    worst = found["15, 10 dB, over tv*, worst case"]
    assert (worst.value, worst.where, worst.passed) == (pytest.approx(1.04), "jasper-zhu, 10 dB", False)
    assert found["15, 10 dB, over tv*, mean (procedural)"].value == pytest.approx(0.82)
    cartoon = found["15, 10 dB, over vector-tv, worst scene (cartoon)"]
    assert (cartoon.value, cartoon.where, cartoon.passed) == (pytest.approx(0.82 / 0.8), "dc1", False)
    (alone,) = (one for one in judge(summarise(table)) if one.method == NETWORK)
    assert (alone.value, alone.passed) == (pytest.approx(0.89), True)
    assert len(found) == 5


def test_a_learned_prior_does_no_harm_where_nothing_can_be_gained():
    errors = {("sim1", "inf"): [0.0], ("sim1", "40"): [0.01], ("procedural-0", "30"): [0.02]}
    ours = {("sim1", "inf"): [9e-5], ("sim1", "40"): [0.0102], ("procedural-0", "30"): [0.0204]}
    (verdict,) = judge(summarise(rows("closed-form", errors) + rows(SHIPPED, ours)))
    assert verdict.passed
    assert verdict.requirement == "clean, 40, 30 dB, aRMSE beside closed-form, worst case"
    ours[("sim1", "40")] = [0.0104]
    (verdict,) = judge(summarise(rows("closed-form", errors) + rows(SHIPPED, ours)))
    assert (verdict.passed, verdict.where) == (False, "sim1, 40 dB")
    assert judge(summarise(rows("closed-form", errors, noise="striped") + rows(SHIPPED, ours, noise="striped"))) == []


def test_a_rival_that_was_not_run_is_no_success():
    found = judge(summarise(rows("closed-form", {("sim1", "20"): [0.1]}) + rows(SHIPPED, {("sim1", "20"): [0.01]})))
    assert found
    assert not any(one.passed for one in found)


def test_marks_of_windows_are_judged_on_the_wide_scene():
    marked = rows("m", {("wide", "20"): [0.1], ("wide", "15"): [0.1], ("sim1", "20"): [0.1]})
    for row, border in zip(marked, ("1.10", "1.06", "3.0"), strict=True):
        row |= {"window": "96", "border": border, "border_truth": "1.05", "border_spread": "0.02"}
    summary = summarise(marked)
    verdict = judge(summary)[-1]
    assert (verdict.value, verdict.passed) == (pytest.approx(1.08 / 1.05), False)
    assert "windows of 96 pixels 1.100 x that inside, of the truth 1.050 x" in to_markdown(summary, call="x")


def test_procedural_scenes_share_a_column():
    errors = {("sim1", "20"): [0.2], ("procedural-0", "20"): [0.1], ("procedural-1", "20"): [0.4]}
    half = {key: [value[0] / 2] for key, value in errors.items()}
    summary = summarise(rows("closed-form", errors) + rows("tv*", half))
    assert list(columns(["procedural-1", "sim1", "procedural-0"])) == ["sim1", "procedural (2)"]
    assert cells([row for row in summary if row["method"] == "tv*"], ["sim1", "procedural-0", "procedural-1"]) == (
        ["0.1000 (0.50)", "0.1250 (0.50)"], "0.500",
    )  # fmt: skip
    assert beside(summary, "tv*")[1] == ["closed-form", "2.000", "2.000", "2.000"]
    assert beside(summary, "vector-tv") == []
    page = to_markdown(summary, call="hsgeo benchmark noise")
    assert "| procedural-1 | physical | 2.000 |" in page
    assert "seeds that no training uses" in page


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
