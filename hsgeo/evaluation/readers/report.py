"""Write what was measured of readers: rows as CSV, and the page of docs/benchmarks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from hsgeo.evaluation.readers.measure import LIMITS

__all__ = ["faults", "to_csv", "to_markdown"]


def faults(row: Mapping[str, Any]) -> list[str]:
    """Name the columns of a row that are beyond their limits.

    Parameters
    ----------
    row : mapping
        From `hsgeo.evaluation.readers.measure`.

    Returns
    -------
    list of str
        Empty when all is well.
    """
    out = [name for name in ("info_mb", "open_mb") if row[name] > LIMITS[name]]
    out += ["speed"] if row["speed"] < LIMITS["speed"] else []
    return out + (["thread_wrong"] if row["thread_wrong"] else [])


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write one line per product.

    Parameters
    ----------
    rows : sequence of mapping
        From `hsgeo.evaluation.readers.measure`.

    Returns
    -------
    str
        CSV with a header.
    """
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def to_markdown(rows: Sequence[Mapping[str, Any]], *, call: str, machine: Mapping[str, str]) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    rows : sequence of mapping
        From `hsgeo.evaluation.readers.measure`.
    call : str
        The command that made it.
    machine : mapping of str to str
        What it ran on.

    Returns
    -------
    str
        Markdown.
    """
    head = ["product", "rows x columns x bands", "file, MB", "info, MB", "open, MB", "open, s", "tile, ms", "plain, ms"]
    head += ["speed", "worst", "wrong of thread reads"]
    lines = [
        "# What readers cost",
        "",
        f"Written by `{call}`: made-up files as large as real ones, written by the readers' own writers, one after the "
        "other. `info` and `open` are the peaks of memory of the whole process of `hsgeo info` and of one that only "
        "opens the file. A tile is 128 x 128 pixels of all bands, at random places, from the page cache: hsgeo's "
        "float32 in physical units with gaps as NaN, beside the stored numbers of the same window as the format's own "
        "library (h5py, rasterio, zarr) returns them, in turns in one process, the file opened for each; medians over "
        "windows of the shortest of the turns, `speed` is plain over hsgeo. The last column reads small windows "
        "(32 x 32 pixels, 16 bands) in 8 threads, values and quality, and compares them with one read after the other.",
        "",
        f"Limits: info {LIMITS['info_mb']:.0f} MB, open {LIMITS['open_mb']:.0f} MB, speed {LIMITS['speed']:g}.",
        "",
        *(f"- {key}: {value}" for key, value in machine.items()),
        "",
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    wrong = faults(row)

    def cell(name: str, text: str) -> str:
        return f"**{text}**" if name in wrong else text

    cells = [
        row["product"],
        f"{row['rows']} x {row['cols']} x {row['bands']}",
        f"{row['size_mb']:.0f}",
        cell("info_mb", f"{row['info_mb']:.0f}"),
        cell("open_mb", f"{row['open_mb']:.0f}"),
        f"{row['open_s']:.2f}",
        f"{row['tile_ms']:.1f}",
        f"{row['plain_ms']:.1f}",
        cell("speed", f"{row['speed']:.2f}"),
        f"{row['speed_worst']:.2f}",
        cell("thread_wrong", f"{row['thread_wrong']} of {row['thread_reads']}"),
    ]
    return "| " + " | ".join(cells) + " |"
