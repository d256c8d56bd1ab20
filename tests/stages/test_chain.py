"""The chain check: every step finds what it reads, and abundances are never stale."""

from dataclasses import dataclass

import pytest

from hsgeo.errors import PluginError, RecipeError
from hsgeo.plugin import Layout, StageRecord, VarSpec, scene, tile
from hsgeo.stages.chain import Step, check_chain, drop_endmember_steps

LAYOUT = Layout(10, 10, (500.0, 600.0), (10.0, 10.0))
SPECS = {
    "abundance": VarSpec(("endmember", "y", "x")),
    "rmse": VarSpec(("y", "x")),
    "endmembers": VarSpec(("endmember", "band"), scope="scene"),
    "noise": VarSpec(("band",), scope="scene"),
}


@dataclass
class Announces:
    names: tuple

    def outputs(self, layout):
        return {name: SPECS[name] for name in self.names}


def step(name, reads, writes, announced=None):
    record = StageRecord(name, "some.module:Stage", "a step", reads=reads, writes=writes)
    return Step(name, record, Announces(announced or tuple(var.name for var in writes)))


EXTRACT = step("extract", (tile("spectra"),), (scene("endmembers"),))
SOLVE = step("solve", (tile("spectra"), scene("endmembers")), (tile("abundance"), tile("rmse")))
REFINE = step("refine", (tile("spectra"), scene("endmembers"), tile("abundance")), (tile("abundance"),))
RECONSTRUCT = step("reconstruct", (tile("spectra"), scene("endmembers"), tile("abundance")), (scene("endmembers"),))
HYBRID = step("hybrid", (tile("spectra"), scene("endmembers")), (scene("endmembers", optional=True), tile("abundance")))
SPECTRA = {"spectra": "tile"}


@pytest.mark.parametrize(
    "steps",
    [
        (EXTRACT, SOLVE),
        (EXTRACT, SOLVE, REFINE),
        (EXTRACT, SOLVE, RECONSTRUCT, step("again", SOLVE.record.reads, SOLVE.record.writes)),
        (EXTRACT, HYBRID, REFINE),
    ],
)
def test_chains_that_fit(steps):
    check_chain(steps, LAYOUT, SPECTRA)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((SOLVE, EXTRACT), "Move 'extract' before it"),
        ((SOLVE,), "Give endmembers"),
        ((EXTRACT,), "no step writes abundances"),
        ((EXTRACT, REFINE), "reads 'abundance', which nothing before it writes"),
        ((EXTRACT, SOLVE, RECONSTRUCT), "replaces the endmembers from which 'solve'"),
        ((EXTRACT, SOLVE, RECONSTRUCT, REFINE), "replaces the endmembers"),  # refining stale abundances is stale, too
        ((EXTRACT, step("odd", (tile("endmembers"),), (tile("abundance"),))), "scope tile"),
    ],
)
def test_chains_that_do_not(steps, said):
    with pytest.raises(RecipeError, match=said):
        check_chain(steps, LAYOUT, SPECTRA)


def test_given_endmembers_take_the_place_of_a_stage_and_drop_those_that_only_find_them():
    check_chain((SOLVE,), LAYOUT, {**SPECTRA, "endmembers": "scene"})
    kept, dropped = drop_endmember_steps((EXTRACT, HYBRID, SOLVE))
    assert ([s.id for s in kept], dropped) == (["hybrid", "solve"], ("extract",))


def test_given_endmembers_drop_what_counts_them_unless_it_is_read():
    count = step("count", (tile("spectra"),), (scene("count"), scene("noise")))
    noise = step("noise", (tile("spectra"),), (scene("noise"),))
    weighs = step("weighs", (tile("spectra"), scene("endmembers"), scene("noise", optional=True)), (tile("abundance"),))
    finds = step("finds", (tile("spectra"), scene("count", optional=True)), (scene("endmembers"),))

    def kept(*steps):
        left, dropped = drop_endmember_steps(steps)
        assert [s.id for s in steps if s.id not in dropped] == [s.id for s in left]
        return [s.id for s in left]

    assert kept(count, finds, SOLVE) == ["solve"]
    assert kept(noise, count, SOLVE) == ["noise", "solve"]  # the product holds the noise
    assert kept(count, finds, weighs) == ["count", "weighs"]
    assert kept(weighs, count) == ["weighs"]  # what read it came before


def test_a_stage_must_announce_what_its_record_declares():
    with pytest.raises(PluginError, match="does not announce"):
        step("liar", (), (tile("abundance"), tile("rmse")), announced=("abundance",)).outputs(LAYOUT)
    with pytest.raises(PluginError, match="announces 'noise'"):
        step("liar", (), (tile("abundance"),), announced=("abundance", "noise")).outputs(LAYOUT)
