import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["cli.md", "laws.md"])
def test_pages_made_from_the_code_are_up_to_date(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # the tool sets it for click; undone after the test
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "tests" / "tools" / "write_docs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "write_docs", module)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert module.PAGES[name]() == written, "run: python tests/tools/write_docs.py"
