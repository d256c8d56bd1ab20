"""Which code a row hangs on: what is imported, directly or not, and nothing that lies beside it."""

import sys

import pytest

from hsgeo.evaluation.noise import code
from hsgeo.evaluation.noise.code import imported_files, imports_digest
from hsgeo.evaluation.noise.plan import plan_cases


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose __init__ takes names from two modules, one of which is used."""
    files = {
        "__init__.py": "from toy.used import f\nfrom toy.spare import g\n",
        "used.py": "def f():\n    from toy.deep import h\n    return h\n",
        "deep.py": "import toy.used\nimport numpy\nh = 1\n",
        "spare.py": "g = 2\n",
        "user.py": "from toy import f\n",
    }
    (tmp_path / "toy").mkdir()
    for name, text in files.items():
        (tmp_path / "toy" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    code._file.cache_clear()
    yield tmp_path / "toy"
    for name in [name for name in sys.modules if name.split(".")[0] == "toy"]:
        del sys.modules[name]
    code._file.cache_clear()


def test_only_what_is_imported_counts(package):
    assert list(imported_files(["toy.user"], within=["toy"])) == ["toy.deep", "toy.used", "toy.user"]
    before = digest()
    (package / "spare.py").write_text("g = 3\n")
    (package / "new.py").write_text("x = 1\n")
    assert digest() == before
    (package / "deep.py").write_text("h = 2\n")
    assert digest() != before


def digest():
    imports_digest.cache_clear()
    return imports_digest(("toy.user",), ("toy",))


def test_rivals_hang_on_their_solvers_alone():
    found = imported_files(
        ["hsgeo.evaluation.noise.methods"], within=["hsgeo.evaluation.noise", "hsgeo.spectra.solvers"]
    )
    assert {
        "hsgeo.evaluation.noise.rof_kernels",
        "hsgeo.spectra.solvers.kernels",
        "hsgeo.spectra.solvers.sunsal_tv",
    } < set(found)
    assert not {"hsgeo.spectra.solvers", "hsgeo.spectra.solvers.vector_tv", "hsgeo.evaluation.noise.plan"} & set(found)


def test_a_row_of_a_stage_hangs_on_more_than_that_of_a_rival(monkeypatch):
    """A change of the stages' code leaves the rows of the rivals valid."""

    def configs():
        cases = plan_cases(["synthetic-4"], ["tv*", "fcls"], [20.0], 1, data=None)
        return {case.method: case.config for case in cases}

    before = configs()
    monkeypatch.setattr("hsgeo.evaluation.noise.stages.code_digest", lambda packages: "changed")
    after = configs()
    assert {name for name in before if before[name] != after[name]} == {"fcls"}
