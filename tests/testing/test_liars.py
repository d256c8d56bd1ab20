"""Every planted liar is caught, and by the one law that is meant for its lie."""

from pathlib import Path

import pytest

from hsgeo.errors import ConfigError
from hsgeo.plugin.onefile import load_file
from hsgeo.testing import known_scene, parametrize_with_checks
from hsgeo.testing.case import StageCase
from hsgeo.testing.runner_laws import RUNNER_LAWS
from hsgeo.testing.stage_laws import KERNEL_LAWS

FAKES = Path(__file__).parents[1] / "fakes"
LIES = {name: ("liars.py", law) for name, (_, law) in load_file(FAKES / "liars.py")[0].LIES.items()}
LIES["liar-heavy"] = ("heavy_import.py", "imports_light")


def broken_laws(name, file, laws):
    case = StageCase(name, files=(str(FAKES / file),), known=known_scene())
    broken = {}
    for law in laws:
        if law.applies(case.record):
            try:
                law.check(case)
            except Exception as error:  # a lie may show as any error
                broken[law.name] = str(error)
    return broken


@pytest.mark.parametrize("liar", sorted(LIES))
def test_liar_breaks_the_law_meant_for_it_and_no_other(liar):
    file, law = LIES[liar]
    assert set(broken_laws(liar, file, KERNEL_LAWS)) == {law}


@pytest.mark.parametrize("liar", ["liar-window", "liar-shape"])
def test_runner_shows_lies_about_place_as_another_product(liar):
    assert "same_for_every_tiling_and_order" in broken_laws(liar, "liars.py", RUNNER_LAWS)


def test_every_law_but_sameness_has_a_liar():
    # a stage that differs from run to run breaks many laws at once, so no liar can be meant for that one alone
    assert {law.name for law in KERNEL_LAWS} - {law for _, law in LIES.values()} == {"same_twice"}


def test_expected_failures_need_a_law_and_a_reason():
    with pytest.raises(ConfigError, match="no_such_law"):
        parametrize_with_checks("liar-sum", files=[FAKES / "liars.py"], xfail={"no_such_law": "because"})
    with pytest.raises(ConfigError, match="no reason"):
        parametrize_with_checks("liar-sum", files=[FAKES / "liars.py"], xfail={"same_twice": " "})


@parametrize_with_checks(
    "liar-sum", files=[FAKES / "liars.py"], xfail={"sum_and_range_are_as_declared": "planted to be off by 0.1 %"}
)
def test_expected_failure_is_reported_as_such(check):
    if check.func.__name__ == "sum_and_range_are_as_declared":
        check()
