"""What a plugin declares is checked when it is declared."""

import pickle

import pytest

from hsgeo.plugin import FitNeeds, Memory, Needs, PluginError, ReaderRecord, StageRecord, VarSpec, Window, scene, tile


def stage(**changes):
    given = {"name": "my-stage", "target": "mine:Stage", "summary": "mine", "writes": (tile("abundance"),)} | changes
    return StageRecord(**given)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: stage(name="My_Stage"), "lower-case words joined by hyphens"),
        (lambda: stage(target="mine.Stage"), "package.module:Name"),
        (lambda: stage(options="mine"), "package.module:Name"),
        (lambda: stage(writes=()), "writes nothing"),
        (lambda: Window(8, 5), "even difference"),
        (lambda: Window(8, 10), "0 < stride <= size"),
        (lambda: Needs(batch=0), "at least 1"),
        (lambda: FitNeeds(kind="rows"), "'pixels', 'patches' or 'reduce'"),
        (lambda: FitNeeds(passes=0), "at least 1 each"),
        (lambda: VarSpec(("y", "x", "endmember")), "end in"),
        (lambda: type(tile("a"))("a", "world"), "'scene' or 'tile'"),
    ],
)
def test_nonsense_is_refused_with_what_is_accepted(make, says):
    with pytest.raises(PluginError, match=says):
        make()


def test_records_are_frozen_hashable_and_picklable():
    record = stage(reads=(tile("spectra"), scene("endmembers", optional=True)))
    assert pickle.loads(pickle.dumps(record)) == record
    assert len({record, stage(reads=record.reads)}) == 1
    with pytest.raises(AttributeError):
        record.name = "other"
    assert ReaderRecord("r", "a:B", "s").patterns == ("*",)


def test_memory_and_windows_count():
    assert Memory(fixed=10, per_pixel=3)(4, 5) == 70
    assert Window(12, 8).margin == 2
