"""Write what was timed: rows as CSV, ratios, and the page of docs/benchmarks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ratios", "to_csv", "to_markdown"]

_FIELDS = ("count", "name", "problem", "pixels", "bands", "threads", "seconds", "mpx_per_s", "kkt")
_RATIOS = (  # of rates: who, over whom
    ("Y @ E", "hsgeo fcls", "time of fcls / Y @ E"),
    ("hsgeo fcls", "spams float64", "fcls / spams float64"),
    ("hsgeo fcls", "spams float32", "fcls / spams float32"),
    ("hsgeo nnls", "compiled nnls", "nnls / compiled nnls"),
    ("hsgeo nnls", "scipy nnls", "nnls / scipy nnls"),
)


def ratios(rows: Sequence[Mapping[str, Any]], *, count: int) -> dict[str, float | None]:
    """Compare rates for one number of endmembers.

    Parameters
    ----------
    rows : sequence of mapping
        From `hsgeo.evaluation.speed.measure`.
    count : int
        The number of endmembers.

    Returns
    -------
    dict of str to float
        How many times as fast, by a name that says who and whom; the first is a ratio of times, of which less is
        better. None where one of the two is absent.
    """
    rate = {row["name"]: row["mpx_per_s"] for row in rows if row["count"] == count}
    return {
        label: rate[first] / rate[second] if rate.get(first) and rate.get(second) else None
        for first, second, label in _RATIOS
    }


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write one line per number of endmembers and contender.

    Parameters
    ----------
    rows : sequence of mapping
        From `hsgeo.evaluation.speed.measure`.

    Returns
    -------
    str
        CSV with a header; empty cells for what is absent.
    """
    out = io.StringIO()
    table = csv.DictWriter(out, _FIELDS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def to_markdown(rows: Sequence[Mapping[str, Any]], *, call: str, machine: Mapping[str, str]) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    rows : sequence of mapping
        From `hsgeo.evaluation.speed.measure`.
    call : str
        The command that made it.
    machine : mapping of str to str
        What it ran on.

    Returns
    -------
    str
        Markdown.
    """
    counts = list(dict.fromkeys(row["count"] for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    cell = {(row["count"], row["name"]): row for row in rows}
    whole = max(row["pixels"] or 0 for row in rows)
    lines = [
        "# Speed",
        "",
        f"Written by `{call}`: {whole:,} pixels of {rows[0]['bands']} bands in float32, {rows[0]['threads']} threads "
        "each, side by side in one run, the shortest of the turns. Smooth random spectra, Dirichlet shares (0.5), "
        "white noise of 0.01. Compiling, and the conversion of the data to what another solver takes, are not timed.",
        "",
        *(f"- {key}: {value}" for key, value in machine.items()),
        "",
        "## Millions of pixels per second",
        "",
        *_table(["endmembers", *names], [[str(c), *(_rate(cell[c, n], whole) for n in names)] for c in counts]),
        "",
        f"(n) timed on fewer than the {whole:,} pixels, as the whole would have taken longer than the budget. "
        "`compiled nnls` is Lawson and Hanson's method compiled by numba, pixel by pixel on a Gram matrix made once; "
        "`scipy nnls` is a loop over `scipy.optimize.nnls`. The wheel of spams may be built without threads.",
        "",
        "## Ratios",
        "",
        "Of rates, more is better; only `time of fcls / Y @ E` is a ratio of times, of which less is better.",
        "",
        *_table(
            ["endmembers", *(label for _, _, label in _RATIOS)],
            [[str(c), *map(_ratio, ratios(rows, count=c).values())] for c in counts],
        ),
        "",
        "## Optimality",
        "",
        "Largest violation of the Karush-Kuhn-Tucker conditions over all timed pixels, relative to `max |E^T y|`, or "
        "of the constraints; infinite where an abundance is not finite.",
        "",
        *_table(
            ["endmembers", *names[1:]],
            [[str(c), *(_kkt(cell[c, n]) for n in names[1:])] for c in counts],
        ),
    ]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---:"] * len(head)
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]


def _ratio(value: float | None) -> str:
    return "absent" if value is None else f"{value:.1f}"


def _rate(row: Mapping[str, Any], whole: int) -> str:
    if row["seconds"] is None:
        return "absent"
    return f"{row['mpx_per_s']:.3g}" + (f" ({row['pixels']:,})" if row["pixels"] < whole else "")


def _kkt(row: Mapping[str, Any]) -> str:
    return "absent" if row["seconds"] is None else f"{row['kkt']:.1e}"
