"""The accuracy benchmark: its floors are the known ones, its noise is what it says, its recipes are what users run."""

import numpy as np
import pytest

from hsgeo.api import fit, unmix
from hsgeo.errors import ConfigError, HsgeoError, RecipeError
from hsgeo.evaluation.accuracy.plan import COLUMNS, missing_cases, plan_cases, run_case
from hsgeo.evaluation.accuracy.recipes import contender, split_list
from hsgeo.evaluation.accuracy.runs import run_sanity, score_estimate
from hsgeo.evaluation.accuracy.scenes import add_noise, load_scene
from hsgeo.evaluation.accuracy.table import BASELINE, summarise_rows, to_markdown
from hsgeo.evaluation.rows import append, read
from hsgeo.plugin.registry import registry

INF = float("inf")


@pytest.mark.parametrize(
    ("name", "oracle", "lmm"),
    [("samson-zhu", 0.0020, 0.1553), ("samson-rasti", 0.0, 0.0316), ("jasper-zhu", 0.0049, 0.0770), ("dc1", 0, 0)],
)
def test_floors_of_the_classic_truths(data_dir, name, oracle, lmm):
    """Each truth is reproduced by the closed form of its convention, and of no other; measured with scipy before."""
    scene = load_scene(name, data_dir)
    assert run_sanity(scene, "oracle", snr_db=INF, seed=0)["armse"] == pytest.approx(oracle, abs=1.5e-4)
    assert run_sanity(scene, "lmm-oracle", snr_db=INF, seed=0)["armse"] == pytest.approx(lmm, abs=1.5e-4)


def test_the_two_truths_of_samson_are_far_apart(data_dir):
    zhu, rasti = (load_scene(f"samson-{name}", data_dir) for name in ("zhu", "rasti"))
    np.testing.assert_array_equal(zhu.image, rasti.image)
    row = score_estimate(rasti, zhu.A, zhu.E, physical=False)
    assert row["armse"] == pytest.approx(0.231, abs=1e-3)
    assert row["ermse"] is None


def test_noise_has_the_stated_level():
    scene = load_scene("synthetic-4", None)
    noisy = add_noise(scene.image, 20, seed=3, name="a")
    ratio = np.mean(scene.image.astype(float) ** 2) / np.mean((noisy - scene.image).astype(float) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.05)
    np.testing.assert_array_equal(noisy, add_noise(scene.image, 20, seed=3, name="a"))
    assert np.abs(noisy - add_noise(scene.image, 20, seed=4, name="a")).max() > 0.01
    assert np.abs(noisy - add_noise(scene.image, 20, seed=3, name="b")).max() > 0.01
    np.testing.assert_array_equal(add_noise(scene.image, INF, seed=3), scene.image)


def test_recipes_are_resolved_with_scale_and_count():
    known = registry()
    peak = contender("vca[restarts=3]+fcls", known, scale="peak", count=5)
    assert peak.recipe["stages"][0] == {"use": "vca", "with": {"restarts": 3, "scale": "peak", "count": 5}}
    blind = contender("classical", known, scale="physical", count=None)
    assert blind.recipe["stages"][0]["with"]["count"] == "auto"
    assert blind.digest != contender("classical", known, scale="physical", count=3).digest
    assert split_list("vca[restarts=1,count=3]+fcls, a+b") == ["vca[restarts=1,count=3]+fcls", "a+b"]


@pytest.mark.parametrize("spec", ["nothing+fcls", "vca[restarts]+fcls", "vca]+fcls", "nowhere", "vca[oil=1]+fcls"])
def test_recipes_that_do_not_exist(spec):
    with pytest.raises(HsgeoError):
        plan_cases(["synthetic-4"], [spec], [INF], 1, data=None)


def test_a_perfect_estimate_in_any_order_scores_zero():
    scene = load_scene("synthetic-6", None)
    order = [3, 5, 0, 1, 4, 2]
    row = score_estimate(scene, scene.A[:, order], scene.E[:, order], physical=True)
    assert row["armse"] == row["ermse"] == 0
    assert row["matches_agree"]
    one_less = score_estimate(scene, scene.A[:, :5], scene.E[:, :5], physical=True)
    assert one_less["armse"] == pytest.approx(np.sqrt(np.mean(scene.A[:, 5] ** 2) / 6))
    named = score_estimate(scene, scene.A[:, order], None, physical=True, names=[scene.names[i] for i in order])
    assert named["armse"] == 0


def test_a_run_is_scored_in_both_conventions_and_told_apart(data_dir):
    cases = plan_cases(["samson-zhu", "samson-rasti"], ["vca[restarts=4]+fcls"], [30.0], 1, data=data_dir)
    runs = [case for case in cases if case.recipe.startswith("vca")]
    assert [(case.scale, case.scenes) for case in runs] == [
        ("physical", ("samson-zhu", "samson-rasti")), ("peak", ("samson-zhu", "samson-rasti")),
    ]  # fmt: skip
    rows = run_case(runs[1], fit=fit, unmix=unmix)
    assert [row["headline"] for row in rows] == [True, False]
    assert rows[0]["armse"] != rows[1]["armse"]
    assert rows[0]["missing"] == 0
    assert rows[0]["ermse"] is None


def row(scene="s", recipe="r", seed=0, armse=0.1, headline=True, snr_db="20"):
    return {
        "scene": scene, "recipe": recipe, "scale": "peak", "snr_db": snr_db, "seed": seed, "config": "c",
        "armse": armse, "msad_rad": 0.05, "convention": "zhu_peak_nnls",
        "headline": headline, "matches_agree": seed != 1, "fit_s": 1.0,
        "apply_s": 0.5, "missing": 0, "device": "cpu",
    }  # fmt: skip


def test_sums_over_the_seeds():
    errors = np.array([0.02, 0.05, 0.03, 0.04, 0.02, 0.06, 0.05])
    rows = [row(seed=k, armse=e) for k, e in enumerate(errors)]
    rows += [row(seed=k, armse=0.3, headline=False) for k in range(7)]
    rows += [row(recipe=BASELINE, seed=k, armse=0.2 + e) for k, e in enumerate(errors)]
    mine, base = summarise_rows(rows)
    assert (mine["mean"], mine["median"], mine["worst"]) == pytest.approx((errors.mean(), 0.04, 0.06))
    assert mine["std"] == pytest.approx(errors.std(ddof=1))
    assert mine["other"] == pytest.approx(0.3)
    assert mine["disagree"] == 1
    assert mine["p"] == pytest.approx(2 / 2**7)  # better in all of seven pairs
    assert base["p"] is None
    page = to_markdown([mine, base], call="hsgeo benchmark accuracy", count="known")
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {14}
    assert "0.0386 ± 0.0157" in page


def test_a_stopped_benchmark_goes_on(tmp_path):
    cases = plan_cases(["synthetic-4"], [], [30.0], 2, data=None)
    path = tmp_path / "accuracy.csv"
    assert read(path, COLUMNS) == []
    for case in cases[:2]:
        append(path, COLUMNS, run_case(case, fit=fit, unmix=unmix))
    with path.open("ab") as file:
        file.write(b"synthetic-4,oracle,physical,3")  # killed while it wrote
    held = read(path, COLUMNS)
    assert len(held) == 2
    left = missing_cases(cases, held)
    assert left == cases[2:]
    for case in left:
        append(path, COLUMNS, run_case(case, fit=fit, unmix=unmix))
    assert missing_cases(cases, read(path, COLUMNS)) == []
    assert len(path.read_text().splitlines()) == 1 + len(cases)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="other columns"):
        read(path, COLUMNS)


@pytest.mark.parametrize(
    ("scenes", "recipes", "words"),
    [
        (["moon"], [], "no benchmark scene"),
        (["samson-zhu"], [], "HSGEO_DATA"),
        ([], [], "0 scenes"),
        (["synthetic-4"], ["mesma"], "spectral library"),
    ],
)
def test_what_cannot_be_benchmarked_is_said(scenes, recipes, words):
    with pytest.raises((ConfigError, RecipeError), match=words):
        plan_cases(scenes, recipes, [INF], 1, data=None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"samson\.npz"):
        load_scene("samson-zhu", tmp_path)


def test_berlin_has_a_library_with_the_classes_of_its_truth(data_dir):
    scene = load_scene("berlin", data_dir)
    assert set(scene.names) == set(scene.library["class"].values)
    cases = plan_cases(["berlin"], ["bundles"], [INF], 1, data=data_dir)
    (row,) = run_case(cases[-1], fit=fit, unmix=unmix)
    assert row["pixels"] == 597
    assert row["armse"] < run_sanity(scene, "uniform", snr_db=INF, seed=0)["armse"]
