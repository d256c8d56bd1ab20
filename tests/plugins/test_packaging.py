"""A bundled plugin is a folder, an entry point and an item of `packages`: all three, or none."""

import tomllib
from pathlib import Path

import pytest

from hsgeo.plugin.registry import registry

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_folders_entry_points_and_packages_agree():
    folders = {f"{top}/{path.name}" for top in ("plugins", "catalogs") for path in (ROOT / top).glob("hsgeo_*")}
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    modules = {value.partition(".")[0] for value in PROJECT["project"]["entry-points"]["hsgeo"].values()}
    assert packages == folders | {"hsgeo"}
    assert modules == {folder.rpartition("/")[2] for folder in folders}


def test_import_contracts_name_every_bundled_package():
    modules = {value.partition(".")[0] for value in PROJECT["project"]["entry-points"]["hsgeo"].values()}
    linter = PROJECT["tool"]["importlinter"]
    assert set(linter["root_packages"]) == modules | {"hsgeo"}
    for contract in linter["contracts"]:
        if contract["type"] == "independence":
            assert set(contract["modules"]) == modules


def test_every_bundled_plugin_works():
    bundled = {info.name: info.error for info in registry().plugins.values() if info.distribution == "hsgeo"}
    assert bundled == dict.fromkeys(PROJECT["project"]["entry-points"]["hsgeo"])


@pytest.mark.parametrize("kind", ["readers", "stages", "writers"])
def test_every_bundled_target_loads(kind):
    reg = registry()
    for record in getattr(reg, kind).values():
        if reg.provider(record).distribution == "hsgeo":
            assert reg.load(record)
            reg.options(record)
