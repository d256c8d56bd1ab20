"""Recipes side by side: ratios, means and verdicts; only the convention of the truth is run."""

import pytest

from hsgeo.evaluation.accuracy.plan import plan_cases
from hsgeo.evaluation.accuracy.table import summarise_rows
from hsgeo.evaluation.blind.page import side_by_side, to_markdown
from hsgeo.evaluation.blind.verdict import judge


def rows(recipe, errors, *, angle=0.1):
    """Rows of a recipe: aRMSE by (scene, level); the spectral angle is `angle` times that."""
    return [
        {"scene": scene, "recipe": recipe, "scale": "physical", "snr_db": level, "seed": seed, "config": "c",
         "armse": str(error), "msad_rad": str(angle * error), "convention": "synthetic", "headline": "True",
         "matches_agree": "True", "fit_s": "1.0", "apply_s": "0.5", "missing": "0", "device": "cpu"}
        for (scene, level), error in errors.items() for seed in range(2)
    ]  # fmt: skip


PLAIN = {("a", "inf"): 0.02, ("b", "inf"): 0.04, ("a", "20"): 0.2, ("b", "20"): 0.1}
ALONE = {("a", "inf"): 0.02, ("b", "inf"): 0.04, ("a", "20"): 0.1, ("b", "20"): 0.1}
REFINED = {("a", "inf"): 0.0215, ("b", "inf"): 0.03, ("a", "20"): 0.05, ("b", "20"): 0.11}


def summed(refined, **more):
    return summarise_rows(rows("classical", PLAIN) + rows("hybridstu", ALONE) + rows("semi-blind", refined, **more))


def test_recipes_side_by_side():
    table = side_by_side(summed(REFINED), "mean")
    assert table[0][2:] == ["classical", "hybridstu", "semi-blind", "semi-blind / hybridstu", "semi-blind / classical"]
    assert table[1] == ["clean", "a", "0.0200", "0.0200", "0.0215", "1.0750", "1.0750"]
    assert table[-1][:2] == ["20 dB", "mean"]
    assert float(table[-1][-2]) == pytest.approx((0.5 * 1.1) ** 0.5, abs=1e-4)
    page = to_markdown(summed(REFINED), call="hsgeo benchmark blind")
    assert "2 seeds" in page
    assert "## mSAD" in page
    assert {line.count("|") for line in page.splitlines() if line.startswith("| 20 dB |")} == {8}


def test_refinement_pays_under_noise_and_does_no_harm_without():
    found = judge(summed(REFINED))
    assert [one.passed for one in found] == [True] * 4
    assert [one.where for one in found] == ["a", "a", "2 scenes", "2 scenes"]
    assert found[0].limit == pytest.approx(1.03 * 0.02 + 1e-3)
    worse = judge(summed(REFINED | {("b", "inf"): 0.0423}, angle=0.3))
    assert [(one.where, one.passed) for one in worse] == [
        ("b", False), ("b", False), ("2 scenes", True), ("2 scenes", False),
    ]  # fmt: skip
    assert not any(one.passed for one in judge(summed(ALONE)) if "20 dB" in one.requirement)  # the same is not better


def test_what_was_not_run_is_no_success():
    assert judge(summarise_rows(rows("classical", PLAIN))) == []
    found = judge(summarise_rows(rows("semi-blind", REFINED)))
    assert found
    assert not any(one.passed for one in found)
    assert side_by_side(summarise_rows(rows("classical", PLAIN)), "mean")[0] == ["noise", "scene", "classical"]


def test_only_conventions_of_the_truths_are_run():
    cases = plan_cases(["synthetic-4"], ["classical"], [20.0], 1, data=None, headline=True)
    assert [case.scale for case in cases if case.recipe == "classical"] == ["physical"]


def test_figures_are_taken_on_other_noise_than_choices():
    cases = plan_cases(["synthetic-4"], ["classical"], [20.0], 2, data=None, headline=True, first_seed=5)
    assert {case.seed for case in cases if case.recipe in ("classical", "oracle")} == {5, 6}
