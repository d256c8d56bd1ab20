"""The library stages in a run: recipes, class levels, what is not modelled, products that keep the convention."""

import numpy as np
import pytest

import hsgeo
from hsgeo.cli import main
from hsgeo.errors import ConfigError
from hsgeo.plugin import Quality
from hsgeo.product.convention import check_product
from hsgeo.testing.scenes import known_scene
from tests.scenes import save


@pytest.fixture(scope="module")
def known():
    return known_scene(height=12, width=12)


def unmix(known, recipe, library=None, scene=None, **options):
    product = hsgeo.unmix(
        known.scene if scene is None else scene,
        recipe=recipe,
        endmembers=known.library(variants=2) if library is None else library,
        options={recipe if recipe != "emit" else "sma": options},
        notice=lambda text: None,
    ).compute()
    check_product(product, values=True)
    return product


@pytest.mark.parametrize(
    ("recipe", "options", "meaning", "classes"),
    [
        ("mesma", {"levels": [2, 3, 4]}, ("one", "normalised"), 3),
        ("mesma", {"levels": [2, 3, 4], "shade": "explicit", "bounded": False}, ("free", "explicit"), 4),
        ("mesma", {"levels": [4], "shade": "explicit"}, ("one", "explicit"), 4),
        ("emit", {"draws": 3, "uncertainty": 0.001}, ("one", "normalised"), 3),
        ("emit", {"draws": 1, "mode": "mesma", "normalization": "none"}, ("one", "normalised"), 3),
        ("emit", {"draws": 2, "mode": "mesma-best", "normalization": 1600}, ("one", "normalised"), 3),
        ("bundles", {}, ("one", "normalised"), 3),
        ("bundles", {"shade": "none"}, ("one", "none"), 3),
        ("bundles", {"shade": "explicit"}, ("one", "explicit"), 4),
        ("bundles", {"constraint": "nnls"}, ("one", "normalised"), 3),
        ("bundles", {"constraint": "nnls", "shade": "none"}, ("free", "none"), 3),
    ],
)
def test_products_say_what_they_mean(known, recipe, options, meaning, classes):
    product = unmix(known, recipe, **options)
    assert (product.attrs["sum"], product.attrs["shade"]) == meaning
    assert product["endmember"].values.tolist() == ["m1", "m2", "m3", "shade"][:classes]
    assert ("model" in product) == (recipe == "mesma")
    assert ("abundance_std" in product) == (recipe == "emit" and options["draws"] > 1)
    assert np.isfinite(product["abundance"].values).all()
    np.testing.assert_allclose(product["endmembers"].sel(endmember="m1"), 1.025 * known.endmembers[0], rtol=1e-5)


def test_no_model_is_no_zero(known):
    scene = known.scene.copy(deep=True)
    scene["spectra"].values[:, 3, 4] = np.where(np.arange(24) % 2, 0.9, 0.05)
    scene["spectra"].values[:, 0, 0] = np.nan
    product = unmix(known, "mesma", scene=scene, levels=[2, 3, 4])
    quality = product["quality"].values
    assert quality[3, 4] == Quality.UNMODELLED | Quality.FAILED
    assert quality[0, 0] == Quality.NODATA
    assert (quality != 0).sum() == 2
    assert np.isnan(product["abundance"].values[:, 3, 4]).all()
    assert (product["model"].values[:, 3, 4] == -1).all()
    assert (product["model"].values.max(axis=0) >= 0).sum() == 12 * 12 - 2


def test_the_model_map_names_library_spectra(known):
    product = unmix(known, "mesma", levels=[2])
    pure = known.abundance.values.max(axis=0) == 1
    best = known.abundance.values.argmax(axis=0)
    chosen = product["model"].values
    assert (chosen.argmax(axis=0)[pure] == best[pure]).all()
    assert (chosen.max(axis=0)[pure] // 2 == best[pure]).all()  # two spectra of each class, class after class


def test_spectra_without_classes_are_classes(known):
    product = unmix(known, "bundles", library=known.library().drop_vars("class"))
    assert product["endmember"].values.tolist() == ["m1", "m2", "m3"]
    error = product["abundance"].values - known.abundance.values
    assert np.sqrt(np.mean(error**2)) < 0.02


def test_a_class_level_is_chosen(known):
    library = known.library(variants=2).assign_coords(level_2=("spectrum", ["x", "x", "x", "x", "y", "y"]))
    chosen = hsgeo.open_library(library, level=2)
    assert unmix(known, "bundles", library=chosen)["endmember"].values.tolist() == ["x", "y"]
    with pytest.raises(ConfigError, match="no class level"):
        hsgeo.open_library(library, level="level_7")


def test_wrong_libraries_are_refused_before_a_tile(known):
    library = known.library(variants=2)
    shade = library.assign_coords({"class": ("spectrum", ["shade", *"abbcc"])})
    with pytest.raises(ConfigError, match="called 'shade'"):
        unmix(known, "mesma", library=shade, shade="explicit")
    with pytest.raises(ConfigError, match="1 classes"):
        unmix(known, "mesma", library=library.isel(spectrum=[0, 1]), levels=[3])
    with pytest.raises(ConfigError, match="have no class"):
        unmix(known, "bundles", library=library.assign_coords({"class": ("spectrum", ["", *"abbcc"])}))
    with pytest.raises(ConfigError, match="explicit only where"):
        unmix(known, "bundles", constraint="nnls", shade="explicit")


def run(*args):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == 0


def test_from_file_to_file_and_again(known, tmp_path):
    scene, library = tmp_path / "scene.zarr", tmp_path / "library.zarr"
    save(known.scene, scene)
    levels = known.library(variants=2).assign_coords(level_2=("spectrum", ["x", "x", "x", "x", "y", "y"]))
    levels.to_zarr(library, zarr_format=2)
    made, again = tmp_path / "made.zarr", tmp_path / "again.zarr"
    run("unmix", "--input", scene, "--out", made, "--recipe", "mesma", "--endmembers", library, "--class-level", 2,
        "-o", "mesma.shade=explicit", "--quiet")  # fmt: skip
    run("rerun", made, "--out", again, "--quiet")
    first, second = hsgeo.open_product(made), hsgeo.open_product(again)
    assert first["endmember"].values.tolist() == ["x", "y", "shade"]
    for name in ("abundance", "model", "rmse", "quality"):
        np.testing.assert_array_equal(first[name].values, second[name].values)


def test_one_pixel_is_a_scene(known):
    scene = known.scene.isel(y=slice(0, 1), x=slice(0, 1))
    for recipe in ("mesma", "emit", "bundles"):
        assert unmix(known, recipe, scene=scene)["abundance"].shape == (3, 1, 1)
