"""The code in the docs is run: python and bash blocks in order, blocks with a title are written to that file.

``console`` blocks show what is not run here (installing, the demo at full size).
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from hsgeo.cli import main
from hsgeo.plugin import registry as registry_module

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
MADE = {"cli.md", "laws.md"}  # from the code itself
PAGES = sorted({path.name for path in DOCS.glob("*.md") if BLOCK.search(path.read_text(encoding="utf-8"))} - MADE)
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    language: str
    title: str | None
    code: str
    line: int


def blocks(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield Block(found["language"], found["title"], found["code"], text[: found.start()].count("\n") + 2)


def run_lines(code, cwd):
    """Run the lines of a bash block: hsgeo itself in this process, which saves its imports, all else in a shell."""
    for line in code.strip().splitlines():
        words = shlex.split(line)
        if words[0] == "hsgeo":
            with pytest.raises(SystemExit) as stop:
                main(words[1:])
            assert not stop.value.code, line
        else:
            run_shell(line, cwd)


def run_shell(code, cwd):
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    search = os.pathsep.join(filter(None, [str(cwd), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=cwd,
        env={**os.environ, "PATH": path, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def install(folder):
    """Do what pip would do for the package of a page: leave its metadata beside it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"]
    lines = [
        line for group, points in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "demo"
    run_lines(f"hsgeo demo --out {folder} --size 100", folder.parent)
    yield folder
    registry_module.reset()  # forget the plugins of the pages


@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page_runs(page, demo_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").symlink_to(demo_folder)
    monkeypatch.syspath_prepend(tmp_path)
    registry_module.reset()
    names = {"__name__": "__main__"}
    for block in blocks(page):
        if block.title is not None:
            target = tmp_path / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.code)
            if target.name == "pyproject.toml":
                install(tmp_path)
                registry_module.reset()
        elif block.language == "bash":
            run_lines(block.code, tmp_path)
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.code, str(DOCS / page), "exec"), names)
        else:
            assert block.language in {"console", "yaml", "toml"}, (
                f"{page}:{block.line}: a {block.language} block is not run"
            )


def test_the_pages_with_code_are_found():
    assert {"quickstart.md", "write-a-plugin.md", "recipes.md"} <= set(PAGES)


def test_links_of_the_readme_exist():
    root = DOCS.parent
    for target in re.findall(r"\]\(([^)#:]+)\)", (root / "README.md").read_text(encoding="utf-8")):
        assert (root / target).exists(), target


def test_quality_bits_in_the_docs_are_those_of_the_code():
    from hsgeo.plugin import Quality

    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (DOCS / "conventions.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(bit) for bit, name in rows} == {str(flag.name).lower(): flag.value for flag in Quality}


def test_every_decision_is_in_the_index():
    index = (DOCS / "adr" / "index.md").read_text(encoding="utf-8")
    config = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in sorted((DOCS / "adr").glob("0*.md")):
        assert f"({page.name})" in index
        assert f"adr/{page.name}" in config


def test_numbers_in_the_docs_are_those_of_the_code():
    from hsgeo.run.worker import UNMODELLED
    from hsgeo.stages import bands, sample, screen, validity

    pages = ("conventions.md", "adr/0006-bounds-of-the-fit-sample.md")
    conventions, decision = ((DOCS / page).read_text(encoding="utf-8") for page in pages)
    for text in (conventions, decision):
        assert f"{sample.MOST:,}" in text
        assert f"{sample.LEAST:,}" in text
        assert f"{sample.SHARE:.0%}".replace("%", " %") in text
    assert f"{sample.PATCH} x {sample.PATCH}" in decision
    assert sample.ROUNDS == 4, "four, says the decision"
    assert f"above {UNMODELLED:g} times the scene's noise" in conventions
    assert f"above {bands.NOISY:g} times the median" in conventions
    assert f"({screen.PHYSICAL[0]:g} to {screen.PHYSICAL[1]:g})" in conventions
    shares = {bands.MISSING, validity.MAX_MISSING, screen.MISSING}
    assert shares == {0.05}, "5 %, say the conventions everywhere"
