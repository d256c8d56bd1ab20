"""One-file plugins: loaded by path, hashed, and known to every worker."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from hsgeo.plugin import PluginError
from hsgeo.plugin.onefile import reduce_with_sources
from hsgeo.plugin.registry import registry, reset

CODE = """
from hsgeo.plugin import hookimpl, StageRecord, tile

class Mine:
    answer = {answer}
    def __init__(self, options):
        self.options = options

@hookimpl
def hsgeo_stages():
    yield StageRecord("mine-by-stem", "mine:Mine", "by the file's stem", writes=(tile("abundance"),))
    yield StageRecord("mine-by-name", f"{{__name__}}:Mine", "by __name__", writes=(tile("abundance"),))
"""


@pytest.fixture
def mine(tmp_path):
    reset()
    path = tmp_path / "mine.py"
    path.write_text(CODE.format(answer=1))
    yield path
    reset()


def test_file_is_loaded_hashed_and_leaves_no_trace(mine):
    reg = registry(files=(mine,))
    first, second = (reg.load(reg.stage(name)) for name in ("mine-by-stem", "mine-by-name"))
    assert first is second
    assert reg.files == {str(mine): hashlib.blake2b(mine.read_bytes(), digest_size=16).hexdigest()}
    assert reg.provider(reg.stage("mine-by-stem")).distribution == f"file {mine}"
    assert reg.sources() == (str(mine),)
    assert registry(files=(mine,)).stage("mine-by-stem") is reg.stage("mine-by-stem")  # again: no clash with itself
    assert list(mine.parent.iterdir()) == [mine]


def test_changed_file_replaces_itself(mine):
    reg = registry(files=(mine,))
    assert reg.load(reg.stage("mine-by-stem")).answer == 1
    mine.write_text(CODE.format(answer=2))
    registry(files=(mine,))
    assert reg.load(reg.stage("mine-by-stem")).answer == 2


def test_only_files_that_can_decide_a_product_are_behind_it(mine, tmp_path):
    reading = tmp_path / "reading.py"
    reading.write_text("""
from hsgeo.plugin import ReaderRecord, hookimpl

@hookimpl
def hsgeo_readers():
    yield ReaderRecord("mine-too", "reading:Reader", "a scene does not say who opened it")
""")
    reg = registry(files=(mine, reading))
    assert set(reg.files_behind([reg.stage("mine-by-name")])) == {str(mine), str(reading)}
    assert reg.files_behind([reg.stage("fcls")]) == {str(reading): reg.files[str(reading)]}


def test_instances_pickle_into_a_process_that_loads_the_sources(mine, tmp_path):
    reg = registry(files=(mine,))
    data = tmp_path / "data"
    data.write_bytes(pickle.dumps(reg.load(reg.stage("mine-by-stem"))("options")))
    code = (
        "import pickle, sys, pathlib\n"
        "from hsgeo.plugin.onefile import load_sources\n"
        f"load_sources({reg.sources()!r})\n"
        f"print(pickle.loads(pathlib.Path({str(data)!r}).read_bytes()).options)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "options"


class Carrier:
    """Holds an instance of a plugin file's class, as a plan holds stages."""

    def __init__(self, stage, sources):
        self.stage, self.sources = stage, sources

    def __reduce__(self):
        return reduce_with_sources(dict, {"stage": self.stage}, self.sources)


def test_what_holds_instances_brings_the_sources_along(mine, tmp_path):
    reg = registry(files=(mine,))
    data = tmp_path / "data"
    data.write_bytes(pickle.dumps(Carrier(reg.load(reg.stage("mine-by-stem"))("options"), reg.sources())))
    code = f"import pickle, pathlib\nprint(pickle.loads(pathlib.Path({str(data)!r}).read_bytes())['stage'].options)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "options"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("missing.py", None, "does not exist"),
        ("notes.txt", "hello", "is not a .py file"),
        ("bad.py", "import no_such_module_anywhere", "fails to import: ModuleNotFoundError"),
        ("bad.py", "", "is broken: PluginError: it has no hook"),
    ],
)
def test_bad_file_is_an_error_that_names_it(mine, name, text, says):
    path = Path(mine.parent / name)
    if text is not None:
        path.write_text(text)
    with pytest.raises(PluginError, match=f"{name} {says}"):
        registry(files=(path,))
    assert not registry().files
    registry(files=(mine,))  # and the door still works


def test_file_that_takes_an_installed_name_is_a_clash(mine, install):
    install(
        "acme",
        """
        from hsgeo.plugin import hookimpl, StageRecord, tile

        @hookimpl
        def hsgeo_stages():
            yield StageRecord("mine-by-stem", "acme_plugin:X", "the same name", writes=(tile("abundance"),))
        """,
    )
    with pytest.raises(PluginError, match=rf"acme 1\.0.*file {mine}"):
        registry(files=(mine,)).stage("mine-by-stem")
