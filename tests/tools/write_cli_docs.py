"""Write docs/cli.md from the command line itself: ``python tests/tools/write_cli_docs.py``."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "100"  # the width of a code block in the site

import click

from hsgeo.cli import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

HEAD = """\
# Command line

This page is written by `python tests/tools/write_cli_docs.py` from the commands themselves; a test holds it up to date.
Errors go to standard error as one message; the [exit codes](conventions.md#exit-codes) are the same for all commands.
"""


def page() -> str:
    """Return the page: the help of the root and of every command of hsgeo and its bundled plugins."""
    root = cli
    names = root.context_settings["help_option_names"]
    context = click.Context(root, info_name="hsgeo", terminal_width=100, max_content_width=100, help_option_names=names)
    parts = [HEAD, _block("hsgeo", root.get_help(context))]
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


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written\n")
