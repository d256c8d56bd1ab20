"""``hsgeo library info``: what a library holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hsgeo.cli.library.choice import Choice, choice

__all__ = ["info"]

_MANY = 20  # classes, pairs or names that a table can hold


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@choice
@click.option("--plot", type=click.Path(path_type=Path), metavar="PNG", help="Draw the spectra by class, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def info(
    file: Path,
    chosen: Choice,
    plot: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Tell what the library FILE holds: spectra, classes, range, widths, gaps, duplicates, scale."""
    import json

    from hsgeo import api

    library = chosen.open(file, "float32")
    facts = api.library_facts(library)
    if plot is not None:
        api.draw_library(library, plot, title=file.name)
    if as_json:
        click.echo(json.dumps({"file": str(file), **facts, "picture": None if plot is None else str(plot)}, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, text in _rows(facts):
        table.add_row(key, escape(text))
    console = Console()
    console.print(escape(str(file)), style="bold", highlight=False, soft_wrap=True)
    console.print(table, highlight=False)
    if plot is not None:
        console.print(f"picture {escape(str(plot))}", highlight=False)


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    low, high = facts["wavelength"]
    fwhm, spacing, values = facts["fwhm"], facts["spacing"], facts["values"]
    odd = [f"{100 * facts['outside']:.2g} % outside 0 to 1"] if facts["outside"] else []
    odd += [f"{100 * facts['missing']:.2g} % missing"] if facts["missing"] else []
    span = f"{values[0]:.4g} to {values[1]:.4g}" if values else "none"
    span += " (bad bands left out)" if values and facts["bad"] else ""
    rows = [
        ("spectra", str(facts["spectra"])),
        ("classes", _counts(facts["classes"]) or "-"),
        ("other levels", _levels(facts["levels"]) or "-"),
        ("bands", f"{facts['bands']}, {low:.5g}-{high:.5g} nm" + (f", every {spacing:.4g} nm" if spacing else "")),
        ("fwhm", "unknown" if fwhm is None else f"{fwhm[0]:.3g}-{fwhm[2]:.3g} nm, median {fwhm[1]:.3g}"),
        ("gaps", _ranges(facts["gaps"]) or "-"),
        ("bad bands", _ranges(facts["bad"]) or "-"),
        ("scale", f"1/{facts['scale']:g}" if facts["scale"] != 1 else "1"),
        ("values", ", ".join([span, *odd]) if values else span),
        ("same name", _counts(facts["same_name"]) or "-"),
        ("same spectrum", _some([" = ".join(pair) for pair in facts["same_spectrum"]]) or "-"),
    ]
    if facts["grids"]:
        rows.insert(4, ("grids", "; ".join(f"{n} with {key}" for key, n in list(facts["grids"].items())[:_MANY])))
    if facts["empty"]:
        rows.append(("all zero", _some(facts["empty"])))
    return rows


def _levels(levels: dict[str, int]) -> str:
    return ", ".join(f"{key} ({n})" for key, n in levels.items() if key.startswith("level") or n <= _MANY)


def _counts(counts: dict[str, int]) -> str:
    return _some([f"{name or '(none)'} {n}" for name, n in counts.items()])


def _some(items: list[str]) -> str:
    return ", ".join(items[:_MANY]) + (f" and {len(items) - _MANY} more" if len(items) > _MANY else "")


def _ranges(ranges: list[list[float]]) -> str:
    return _some([f"{a:.0f}-{b:.0f} nm" for a, b in ranges])
