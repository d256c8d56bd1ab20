"""Scores of products with a planted error: the numbers are those of the definition, and what is left out is said."""

import json

import numpy as np
import pytest

import hsgeo
from hsgeo.errors import ConfigError, ProductError
from hsgeo.spectra import metrics
from tests.evaluation.helpers import NAMES, placed, smooth


def test_planted_error_is_found_whatever_the_order():
    A = smooth()
    off = np.array([0.1, -0.1, 0.0])[:, None, None]
    product = placed((A + off)[[2, 0, 1]], ("e1", "e2", "e3"))
    truth = placed(A)
    product["endmembers"] = (
        truth["endmembers"]
        .copy(data=1.3 * truth["endmembers"].values[[2, 0, 1]])
        .assign_coords(endmember=product["endmember"])
    )
    truth.attrs["convention"] = "synthetic"
    found = hsgeo.evaluate(product, truth)
    assert found.matching == {
        "by": "sad", "order": {"soil": "e2", "tree": "e3", "water": "e1"}, "abundances_agree": True,
    }  # fmt: skip
    assert found.overall["armse"] == pytest.approx(np.sqrt(0.02 / 3), rel=1e-5)
    assert found.overall["mrmse"] == pytest.approx(0.2 / 3, rel=1e-5)
    assert found.overall["msad_rad"] == pytest.approx(0, abs=1e-6)
    assert found.overall["ermse"] > 0.01
    assert [row["bias"] for row in found.classes] == pytest.approx([0.1, -0.1, 0], abs=1e-6)
    assert found.pixels == {"scored": 480, "without_truth": 0, "without_estimate": 0}
    assert found.convention["comparable"]
    np.testing.assert_allclose(found.maps["estimate"].values - found.maps["truth"].values, off + 0 * A, atol=1e-6)


def test_pixels_without_truth_or_estimate_are_left_out_and_counted():
    A = smooth()
    product, truth = placed(A), placed(A + 0.05)
    truth["abundance"][:, :3] = np.nan
    truth["abundance"][0, 3] = np.nan  # known in part only
    product["abundance"][:, -2:] = np.nan
    found = hsgeo.evaluate(product, truth)
    assert found.pixels == {"scored": 18 * 20, "without_truth": 80, "without_estimate": 40}
    assert found.overall["armse"] == pytest.approx(0.05, rel=1e-4)
    assert any("in some classes only" in note for note in found.notes)


def test_counts_that_differ():
    A = smooth()
    fewer = hsgeo.evaluate(placed(A[:2], NAMES[:2]), placed(A))
    assert fewer.classes[2]["estimate"] is None
    expected = np.sqrt(np.mean(A[2].astype(float) ** 2) / 3)  # the lost class is compared with 0
    assert fewer.overall["armse"] == pytest.approx(expected, rel=1e-5)
    split = np.concatenate([A[:2], 0.4 * A[2:], 0.6 * A[2:]])
    more = hsgeo.evaluate(placed(split, (*NAMES, "haze")), placed(A))
    assert list(more.spare) == ["haze"]
    assert more.overall["armse"] == pytest.approx(np.sqrt(np.mean((0.6 * A[2].astype(float)) ** 2) / 3), rel=1e-5)


def test_ways_of_matching_that_disagree_are_flagged():
    A = smooth()
    product = placed(A[[1, 0, 2]])  # the names say one thing, the maps another
    found = hsgeo.evaluate(product, placed(A))
    assert found.matching["by"] == "names"
    assert not found.matching["abundances_agree"]
    assert any("disagree" in note for note in found.notes)
    assert hsgeo.evaluate(product, placed(A), match="abundance").overall["armse"] == pytest.approx(0, abs=1e-7)
    renamed = hsgeo.evaluate(product, placed(A), rename={"soil": "tree", "tree": "soil"})
    assert renamed.overall["armse"] == pytest.approx(0, abs=1e-7)


def test_conventions_are_not_mixed_silently():
    A = smooth()
    truth = placed(A)
    truth.attrs["convention"] = "zhu_peak_nnls"
    E = truth["endmembers"].values * np.array([1.0, 0.4, 0.1])[:, None]
    product = placed(A)
    # the physical abundances that mean the same as the peak ones of the truth
    raw = A / E.max(axis=1)[:, None, None]
    product["abundance"] = product["abundance"].copy(data=raw / raw.sum(axis=0))
    product["endmembers"] = product["endmembers"].copy(data=E)
    found = hsgeo.evaluate(product, truth)
    assert not found.convention["comparable"]
    assert any("mixes error and convention" in note for note in found.notes)
    assert found.overall["armse"] > 0.1
    assert found.variants["carried to the peak convention"] == pytest.approx(0, abs=1e-6)
    assert "ermse" not in found.overall
    same = hsgeo.evaluate(product, truth, convention="synthetic")
    assert same.convention["comparable"]


def test_stated_uncertainty_is_scored():
    A = smooth(60, 60)
    rng = np.random.default_rng(0)
    product = placed(A + 0.05 * rng.standard_normal(A.shape))
    product["abundance_std"] = product["abundance"].copy(data=np.full(A.shape, 0.05, np.float32))
    found = hsgeo.evaluate(product, placed(A))
    assert found.overall["coverage_0.9"] == pytest.approx(0.9, abs=0.01)
    assert found.classes[0]["coverage"]["0.5"] == pytest.approx(0.5, abs=0.03)
    assert found.overall["crps"] == pytest.approx(0.05 / np.sqrt(np.pi), rel=0.03)


def test_the_report_is_json_and_the_picture_shows_all_classes(tmp_path):
    A = smooth()
    found = hsgeo.evaluate(placed(A), placed(A), picture=tmp_path / "p.png")
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["overall"]["sre_db"] is None  # infinite
    assert plain["overall"]["armse"] == 0
    from hsgeo.evaluation.picture import score_picture

    figure = score_picture(found)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert {f"{name}: truth" for name in NAMES} <= set(titles)
    assert (tmp_path / "p.png").stat().st_size > 10_000
    with pytest.raises(ProductError):
        score_picture(found, tmp_path / "nowhere" / "p.png")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"match": "hand"}, "match is 'hand'"),
        ({"match": "names", "rename": {n: f"x-{n}" for n in NAMES}}, "no name in common"),
        ({"convention": "mine"}, "no convention 'mine'"),
        ({"rename": {"oil": "soil"}}, "oil is not there"),
        ({"rename": {"tree": "soil"}}, "alike"),
    ],
)
def test_what_cannot_be_scored_is_said(change, words):
    A = smooth()
    with pytest.raises(ConfigError, match=words):
        hsgeo.evaluate(placed(A), placed(A), **change)


def test_nothing_in_common():
    A = smooth()
    with pytest.raises(ConfigError, match="no pixel has both"):
        hsgeo.evaluate(placed(np.full_like(A, np.nan)), placed(A))
    with pytest.raises(ConfigError, match="no abundance"):
        hsgeo.evaluate(placed(A).drop_vars("abundance"), placed(A))
    with pytest.raises(ConfigError, match="no spectra"):
        hsgeo.evaluate(placed(A), placed(A).drop_vars("endmembers"), match="sad")


def test_a_product_without_spectra_is_scored_by_its_maps():
    A = smooth()
    product = placed(A[[1, 2, 0]], ("a", "b", "c"))
    product["endmembers"][1] = np.nan  # a class without a spectrum of its own
    found = hsgeo.evaluate(product, placed(A))
    assert found.matching["by"] == "abundance"
    assert found.overall["armse"] == pytest.approx(0, abs=1e-7)
    assert "msad_rad" not in found.overall
    assert found.variants == {}


def test_one_pixel_is_scored():
    A = smooth(1, 1)
    found = hsgeo.evaluate(placed(A), placed(A + 0.01, crs=None))
    assert found.overall["armse"] == pytest.approx(0.01, rel=1e-4)
    assert np.isnan(found.overall["ssim"])


def test_metrics_are_those_of_the_algebra():
    A, B = smooth(), smooth(seed=1)
    found = hsgeo.evaluate(placed(B), placed(A))
    flat = [values.reshape(3, -1).T for values in (B, A)]
    for key in ("armse", "mrmse", "pixel_rmse", "mae"):
        assert found.overall[key] == pytest.approx(getattr(metrics, key)(*flat))
    assert found.classes[1]["ssim"] == pytest.approx(metrics.ssim(B[1], A[1], data_range=1.0))


def test_numbers_that_stand_for_names_say_nothing():
    A = smooth()
    product = placed(A, ("e1", "e2", "e3"))
    swapped = {"e1": "e2", "e2": "e1"}
    assert hsgeo.evaluate(product, product, rename=swapped).overall["armse"] == 0
    bare = product.drop_vars("endmembers")
    assert hsgeo.evaluate(bare, bare, rename=swapped).matching["by"] == "abundance"
    assert hsgeo.evaluate(bare, bare, rename=swapped).overall["armse"] == 0
    assert hsgeo.evaluate(product, product, rename=swapped, match="names").overall["armse"] > 0.1
    half = placed(smooth(names="abcd"), ("soil", "tree", "e3", "e4"))
    found = hsgeo.evaluate(half, half, rename={"e3": "e4", "e4": "e3"})
    assert found.matching["by"] == "names"
    assert found.overall["armse"] == 0


def test_classes_compared_with_nothing_are_said_once():
    A = smooth()
    found = hsgeo.evaluate(placed(A, ("soil", "tree", "sea")), placed(A))
    said = [note for note in found.notes if "--rename" in note]
    assert len(said) == 1
    assert "water" in said[0]
    assert "sea" in said[0]
    assert "--class-level" in said[0]


def test_products_of_one_scale_are_compared_as_they_are():
    A, B = smooth(), smooth(seed=1)
    found = hsgeo.evaluate(placed(B), placed(A))
    assert found.variants == {}
    assert found.convention["truth_scale"] == "physical"
    peak = placed(A, scale="peak")
    assert "carried to the peak convention" in hsgeo.evaluate(placed(B), peak).variants


def test_absent_classes_and_undefined_numbers_are_left_out():
    A, B = (np.concatenate([maps, 0 * maps[:1]]) for maps in (smooth(), smooth(seed=1)))
    names = (*NAMES, "snow")
    found = hsgeo.evaluate(placed(B, names), placed(A, names))
    without = hsgeo.evaluate(placed(B[:3]), placed(A[:3]))
    for key in ("mrmse", "psnr_db", "ssim"):
        assert found.overall[key] == pytest.approx(without.overall[key])
    assert any(note.endswith("snow") for note in found.notes)
    product = placed(A, names)
    product["abundance_std"] = product["abundance"] * 0 + 0.1
    assert "ause" not in hsgeo.evaluate(product, placed(A, names)).overall


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ConfigError, match="--truth-scale is"):
        hsgeo.evaluate(placed(smooth()), placed(smooth()), truth_scale=scale)
    assert hsgeo.evaluate(placed(smooth()), placed(100 * smooth()), truth_scale=0.01).overall["armse"] < 1e-6
