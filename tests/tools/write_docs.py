"""Write the pages that are made from the code: ``python tests/tools/write_docs.py``."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "100"  # the width of a code block in the site

import click

from hsgeo.cli import cli

DOCS = Path(__file__).resolve().parents[2] / "docs"

CLI_HEAD = """\
# Command line

This page is written by `python tests/tools/write_docs.py` from the commands themselves; a test holds it up to date.
Errors go to standard error as one message; the [exit codes](conventions.md#exit-codes) are the same for all commands.
"""


def cli_page() -> str:
    """Return the page of the command line: the help of the root and of every command, bundled plugins included."""
    root = cli
    names = root.context_settings["help_option_names"]
    context = click.Context(root, info_name="hsgeo", terminal_width=100, max_content_width=100, help_option_names=names)
    parts = [CLI_HEAD, _block("hsgeo", root.get_help(context))]
    for name in sorted(root.list_commands(context)):
        command = root.get_command(context, name)
        assert command is not None
        parts.append(f"\n## hsgeo {name}\n")
        parts.extend(_helps(command, context, name))
    return "\n".join(parts)


def _helps(command: click.Command, parent: click.Context, name: str):
    context = click.Context(command, parent=parent, info_name=name, terminal_width=100, max_content_width=100)
    yield _block(context.command_path, command.get_help(context))
    if isinstance(command, click.Group):
        for inner in sorted(command.list_commands(context)):
            yield from _helps(command.get_command(context, inner), context, inner)


def _block(title: str, text: str) -> str:
    lines = (line.rstrip() for line in text.splitlines())
    return "```text\n" + "\n".join(lines).strip() + "\n```\n"


LAWS_HEAD = """\
# The laws

This page is written by `python tests/tools/write_docs.py` from the conformance kit; a test keeps it true. Each law
runs on the real thing at tiny size, and every bundled plugin passes. An expected failure is given as
`xfail={"law": "reason"}`; when the law then passes, the test fails.
[Write a plugin](write-a-plugin.md#prove-it) shows how to run them.
"""


def laws_page() -> str:
    """Return the page of the laws: name and meaning of each."""
    from hsgeo.testing.parametrize import stage_laws
    from hsgeo.testing.reader_laws import READER_LAWS
    from hsgeo.testing.writer_laws import WRITER_LAWS

    kinds = (
        ("Stages", "parametrize_with_checks", stage_laws()),
        ("Readers", "parametrize_reader_checks", READER_LAWS),
        ("Writers", "parametrize_writer_checks", WRITER_LAWS),
    )
    parts = [LAWS_HEAD]
    for title, decorator, laws in kinds:
        parts.append(f"\n## {title}\n\n`hsgeo.testing.{decorator}`\n\n| law | what it checks |\n|---|---|")
        for law in laws:
            meaning = (law.check.__doc__ or "").strip().splitlines()[0].removeprefix("Check that ")
            parts.append(f"| `{law.name}` | {meaning} |")
    return "\n".join(parts) + "\n"


PAGES = {"cli.md": cli_page, "laws.md": laws_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name} written\n")
