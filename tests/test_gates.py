"""What the house rules promise and no other test sees: light imports, short files, clean removal of a plugin."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINES = 440  # "about 400": a tenth of slack, so that a fix need not wait for a split
HEAVY = ("torch", "numba", "rasterio", "distributed", "h5py", "rioxarray", "matplotlib")
SOURCES = sorted(
    path for folder in ("hsgeo", "plugins", "catalogs") for path in (ROOT / folder).rglob("*.py") if path.stat().st_size
)

LIGHT = """
import json, sys
sys.argv = {argv!r}
{code}
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""

RUN_CLI = """
from hsgeo.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["python"], "import hsgeo"),
        (["python"], "import hsgeo.plugin"),
        (["hsgeo", "--help"], RUN_CLI),
        (["hsgeo", "list"], RUN_CLI),
        (["hsgeo", "list", "stages"], RUN_CLI),
    ],
    ids=["import hsgeo", "import hsgeo.plugin", "hsgeo --help", "hsgeo list", "hsgeo list stages"],
)
def test_nothing_heavy_is_loaded(argv, code):
    script = LIGHT.format(argv=argv, code=code, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_idea(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES, "split it: a file holds one idea (docs/style.md)"
    assert lines[0].startswith('"""'), "the first line says what the file is for"


def test_a_bundled_plugin_is_registered_in_three_places_or_in_none():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entries = {value.split(".")[0] for value in project["project"]["entry-points"]["hsgeo"].values()}
    packages = {
        Path(item).name
        for item in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        if Path(item).name.startswith("hsgeo_")
    }
    folders = {path.parent.name for parent in ("plugins", "catalogs") for path in (ROOT / parent).glob("*/plugin.py")}
    assert entries == packages == folders


def test_import_contracts_name_every_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    plugins = {value.split(".")[0] for value in project["project"]["entry-points"]["hsgeo"].values()}
    contracts = {contract["name"]: contract for contract in project["tool"]["importlinter"]["contracts"]}
    assert set(contracts["the core never imports a plugin"]["forbidden_modules"]) == plugins
    assert set(contracts["plugins never import each other"]["modules"]) == plugins


@pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX shell")
def test_ci_script_is_sound():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)
