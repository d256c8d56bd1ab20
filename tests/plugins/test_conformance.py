"""Every bundled stage obeys every law; a stage, reader or writer that is not checked fails here."""

from pathlib import Path

import pytest

from hsgeo.plugin.registry import registry
from hsgeo.testing import parametrize_with_checks

SOLVE = ({"use": "fcls"},)


@parametrize_with_checks("archetypes", options={"count": 3, "restarts": 2}, after=SOLVE)
def test_archetypes(check):
    check()


@parametrize_with_checks("vca", options={"count": 3, "restarts": 2}, after=SOLVE)
def test_vca(check):
    check()


@parametrize_with_checks("fcls")
def test_fcls(check):
    check()


@parametrize_with_checks("nnls")
def test_nnls(check):
    check()


@parametrize_with_checks("ucls")
def test_ucls(check):
    check()


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("stages", "test_conformance.py"),
        ("readers", "test_conformance_readers.py"),
        ("writers", "test_conformance_writers.py"),
    ],
)
def test_everything_bundled_is_checked(kind, file):
    text = Path(__file__).with_name(file).read_text()
    reg = registry()
    bundled = [n for n, record in getattr(reg, kind).items() if reg.provider(record).distribution == "hsgeo"]
    assert bundled
    assert [name for name in bundled if f'checks("{name}"' not in text] == []
