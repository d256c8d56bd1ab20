"""Bad inputs and calls: each gives one clear message and exit code 2, no traceback, and leaves nothing behind.

The table is the specification; `tests.cli.bad` holds it.
"""

from __future__ import annotations

import re
import shutil
from importlib import import_module

import pytest

from hsgeo.cli import main
from hsgeo.plugin.registry import reset
from tests.cli.bad.table import CASES, PREPARED, unmix
from tests.scenes import make_scene, save

for part in ("places", "recipes", "spectra"):
    import_module(f"tests.cli.bad.{part}")  # fills the table


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    save(make_scene(), folder / "scene.zarr")
    with pytest.raises(SystemExit) as done:
        main(unmix(folder, "--count", 3, "--quiet", out="product.zarr"))
    assert done.value.code == 0
    return folder


def listing(folder):
    return {
        (str(path.relative_to(folder)), path.stat().st_size if path.is_file() else None) for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name, tmp_path, prepared, capsys):
    PREPARED["folder"] = prepared
    shutil.copytree(prepared / "scene.zarr", tmp_path / "scene.zarr")
    make, said = CASES[name]
    args = make(tmp_path)
    before = listing(tmp_path)
    try:
        with pytest.raises(SystemExit) as stop:
            main(args)
    finally:
        reset()
    printed = capsys.readouterr()
    assert stop.value.code == 2, printed.err
    assert re.search(said, printed.err), printed.err
    assert "Traceback" not in printed.err
    assert len([line for line in printed.err.splitlines() if line.startswith("Error:")]) == 1, printed.err
    assert {entry for entry in listing(tmp_path) if "__pycache__" not in entry[0]} == before


def test_the_table_is_long_enough():
    assert len(CASES) >= 40
