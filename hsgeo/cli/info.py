"""``hsgeo info``: what a file is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

__all__ = ["info"]


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reader", help="Reader, where several know the file.")
@click.option("-o", "--option", "options", multiple=True, metavar="reader.KEY=VALUE", help="Option of the reader.")
@click.option("--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "verbose", is_flag=True, help="Show where an error happened.")
def info(
    file: Path,
    reader: str | None,
    options: tuple[str, ...],
    plugins: tuple[Path, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Tell what FILE is: a scene or a product. Reads no pixels of a scene."""
    import json

    from hsgeo import api
    from hsgeo.cli.convert import reader_options
    from hsgeo.plugin.registry import registry

    registry(plugins)
    found = api.describe(file, reader=reader, options=reader_options(options))
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    rows = [(_LABELS.get(key, key.replace("_", " ")), _told(key, value, found)) for key, value in found.items()]
    if not sys.stdout.isatty():  # for grep: a fact is a line
        wide = max(len(label) for label, _ in rows)
        click.echo("\n".join([str(file), *(f"{label:<{wide}}  {said}" for label, said in rows)]))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(str(file)), title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, said in rows:
        table.add_row(label, escape(said))
    Console().print(table, highlight=False)


_LABELS = {"uncompressed_bytes": "uncompressed", "bad_bands_source": "bad bands by", "spectra_std": "stated errors"}


def _told(key: str, value: Any, found: dict[str, Any]) -> str:
    """Write a fact for people, as its kind is written; everything else as `_text` does."""
    if value is None or value in ({}, []):
        return "-"
    if key in ("wavelength", "fwhm"):
        low, high = (f"{v:.6g}" if key == "wavelength" else f"{v:.4g}" for v in value)
        return f"{low} nm" if low == high else f"{low} to {high} nm"
    if key == "bad_wavelengths":
        return ", ".join(f"{low:.6g}" if low == high else f"{low:.6g}-{high:.6g}" for low, high in value) + " nm"
    if key == "extent":
        return ",".join(f"{v:.6f}" for v in value) + " (west,south,east,north in degrees, as subset --bbox takes them)"
    if key == "default_mask":
        unknown = [flag for flag in value if flag not in found.get("flags_known", value)]
        lacks = f" (of these the scene does not know {', '.join(unknown)})" if unknown else ""
        return f"{', '.join(value)} leave a pixel out{lacks}; unmix --mask chooses others"
    if key == "time":
        return _moment(str(value))
    if key == "uncompressed_bytes":
        return _bytes(int(value))
    return _text(value)


def _moment(stamp: str) -> str:
    """Write ``2023-04-22 19:59:24 UTC``; a day, or days, as they are."""
    day, between, clock = stamp.partition("T")
    return f"{day} {clock.partition('.')[0]} UTC" if between else stamp


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _text(value: Any) -> str:
    """Write a fact for people: coordinates to the millimetre, shares to four digits, nothing as a dash."""
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {item:.4g}" if isinstance(item, float) else f"{name} {item}" for name, item in value.items()
        )
    if isinstance(value, list):
        return ", ".join(f"{item:.10g}" if isinstance(item, float) else str(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
