"""Recipes: names, files, content, overrides; everything wrong is one clear error."""

import subprocess
import sys

import pytest

from hsgeo.errors import ConfigError, RecipeError
from hsgeo.plugin.registry import registry
from hsgeo.stages.recipe import load_recipe, override

MINIMAL = {"stages": [{"use": "archetypes"}, {"use": "fcls"}]}


def test_the_default_recipe_is_installed_and_round_trips():
    # in a process of its own: the tests have a quicker default
    asked = "from hsgeo.stages.recipe import DEFAULT_RECIPE; print(DEFAULT_RECIPE)"
    said = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    assert said == "semi-blind"
    recipe = load_recipe(said, registry())
    assert [step.use for step in recipe.stages] == [
        "archetypes", "endmember-diffusion", "hybridstu", "abundance-diffusion",
    ]  # fmt: skip
    assert load_recipe(recipe.dump(), registry()) == recipe


def test_a_recipe_file_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("hsgeo: 1\nname: mine\nstages:\n  - {use: vca, with: {count: 3}}\n  - {use: nnls, id: solve}\n")
    recipe = load_recipe(path, registry())
    assert [step.key for step in recipe.stages] == ["vca", "solve"]


def test_overrides_reach_steps_and_blocks_and_leave_the_original():
    recipe = load_recipe(MINIMAL, registry())
    laid = override(
        recipe, {"archetypes.count": 4, "fcls": {}, "scene.mask": ["cloud"], "output": {"chunk": 64}}, seed=7
    )
    assert laid.stages[0].with_ == {"count": 4}
    assert laid.scene.with_.mask == ("cloud",)
    assert (laid.output.with_, laid.seed) == ({"chunk": 64}, 7)
    assert recipe.stages[0].with_ == {}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("no-such", "no recipe 'no-such'"),
        ({"stages": []}, "stages"),
        ({"stagez": []}, "stagez"),
        ({"hsgeo": 2, **MINIMAL}, "hsgeo"),
        ({"stages": [{"use": "fcls"}, {"use": "fcls"}]}, "two steps are called 'fcls'"),
        ({"stages": [{"use": "fcls", "id": "scene"}]}, "cannot be called 'scene'"),
        ({"stages": "fcls"}, "stages"),
        ({**MINIMAL, "scene": {"with": {"mask": ["clouds"]}}}, "mask"),
        ({**MINIMAL, "scene": {"with": {"bad_bands": [[900, 800]]}}}, "lower wavelength first"),
        ({**MINIMAL, "seed": -1}, "seed"),
    ],
)
def test_malformed_recipes_say_what_is_wrong(recipe, said):
    with pytest.raises(RecipeError, match=said):
        load_recipe(recipe, registry())


@pytest.mark.parametrize("text", ["- just\n- a list", "stages: [", "!!python/object:os.system {}"])
def test_files_that_hold_no_recipe(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError):
        load_recipe(path, registry())


@pytest.mark.parametrize("options", [{"vca.count": 3}, {"fcls": 3}, {"scene.masks": []}])
def test_overrides_that_fit_nothing(options):
    with pytest.raises(ConfigError):
        override(load_recipe(MINIMAL, registry()), options)


def test_recipe_and_stages_together_are_refused():
    with pytest.raises(RecipeError, match="both"):
        load_recipe("classical", registry(), stages=["fcls"])


def test_options_of_the_output_and_of_its_writer():
    recipe = load_recipe(MINIMAL, registry())
    laid = override(recipe, {"output.grid": "utm", "output": {"method": "bilinear", "zarr_format": 3}})
    assert (laid.output.grid, laid.output.method, laid.output.with_) == ("utm", "bilinear", {"zarr_format": 3})
    with pytest.raises(ConfigError, match="method"):
        override(recipe, {"output.method": "cubic"})
