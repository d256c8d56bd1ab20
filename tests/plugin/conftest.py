"""Distributions, installed for one test."""

import sys
import textwrap

import pytest

from hsgeo.plugin.registry import reset


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one plugin module into a folder of its own on sys.path."""
    reset()

    def install(distribution, code, *, plugin=None, version="1.0"):
        plugin = plugin or distribution
        module = distribution.replace("-", "_") + "_plugin"
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(textwrap.dedent(code))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[hsgeo]\n{plugin} = {module}\n")
        monkeypatch.syspath_prepend(site)
        return module

    before = set(sys.modules)
    yield install
    reset()
    for name in set(sys.modules) - before:
        if name.endswith("_plugin"):
            del sys.modules[name]
