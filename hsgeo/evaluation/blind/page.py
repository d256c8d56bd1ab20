"""The tables of the blind benchmark: a line for each scene and level, recipes side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.accuracy.runs import SANITY
from hsgeo.evaluation.accuracy.table import machine
from hsgeo.evaluation.blind.verdict import ALONE, MEASURES, PLAIN, REFINED, judge, ratio
from hsgeo.evaluation.noise.verdict import geometric_mean, level_name

__all__ = ["side_by_side", "to_markdown"]

Row = Mapping[str, Any]

_PROTOCOL = """
From image to endmembers and abundances: recipes find both and are told the number of endmembers, nothing else. {seeds};
the seed sets the noise and everything random in a recipe; one configuration serves all scenes and levels. Noise is
white, of variance `|Y|^2 / (N L) 10^(-SNR / 10)`.

- **aRMSE** is the root of the mean squared error over all pixels and endmembers; **mSAD** the mean spectral angle, rad;
  both are means over the seeds, in the convention of the scene's truth. Estimates are matched by one Hungarian
  assignment on spectral angles.
- *mean* is the geometric mean over the scenes. Ratios are of these means.
- The truth of most scenes is itself the output of a pixelwise unmixing of the clean image. `oracle`, the closed form
  with the true endmembers, bounds a pixelwise method; one that sees the neighbours may beat it.
"""


def side_by_side(summary: Sequence[Row], measure: str) -> list[list[str]]:
    """Tabulate recipes side by side.

    Parameters
    ----------
    summary : sequence of mapping
        From `hsgeo.evaluation.accuracy.table.summarise_rows`.
    measure : str
        Of `MEASURES`.

    Returns
    -------
    list of list of str
        The heading and a line for each scene and level: both, a value for each recipe, and, with the refined recipe,
        its ratios to the others; empty where nothing was run. Levels of several scenes end in their geometric mean.
    """
    recipes = list(dict.fromkeys(str(row["recipe"]) for row in summary if row["recipe"] not in SANITY))
    recipes += [name for name in ("oracle",) if measure == "mean" and any(r["recipe"] == name for r in summary)]
    bases = [name for name in (ALONE, PLAIN) if REFINED in recipes and name in recipes]
    table = [["noise", "scene", *recipes, *(f"{REFINED} / {name}" for name in bases)]]
    for level in sorted({float(row["snr_db"]) for row in summary}, reverse=True):
        here = [row for row in summary if float(row["snr_db"]) == level]
        lines: list[list[float | None]] = []
        for scene in dict.fromkeys(str(row["scene"]) for row in here):
            rows = [row for row in here if row["scene"] == scene]
            values = {row["recipe"]: row[measure] for row in rows}
            lines.append([values.get(name) for name in recipes])
            lines[-1] += [ratio(rows, measure, of=REFINED, to=name) for name in bases]
            table.append([level_name(level), scene, *_written(lines[-1])])
        if len(lines) > 1:
            means = [geometric_mean(column) for column in zip(*lines, strict=True)]
            table.append([level_name(level), "mean", *_written(means)])
    return table


def _written(values: Sequence[float | None]) -> list[str]:
    return ["" if value is None else f"{value:.4f}" for value in values]


def to_markdown(summary: Sequence[Row], *, call: str) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    summary : sequence of mapping
        From `hsgeo.evaluation.accuracy.table.summarise_rows`.
    call : str
        The command that made it.

    Returns
    -------
    str
        Markdown.
    """
    facts = machine()
    runs = {int(row["runs"]) for row in summary if row["recipe"] not in SANITY} or {0}
    seeds = f"{max(runs)} seeds" if len(runs) == 1 else f"{min(runs)} to {max(runs)} seeds"
    devices = ", ".join(sorted({str(row["device"]) for row in summary})) or "none"
    lines = [
        "# Blind, end to end",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}; device: {devices}.",
        "",
        _PROTOCOL.format(seeds=seeds).strip(),
        "",
    ]
    for measure, name in MEASURES.items():
        table = side_by_side(summary, measure)
        lines += [f"## {name}", ""]
        lines += _table(table)
    seconds: dict[str, list[float]] = {}
    for row in summary:
        if row["recipe"] not in SANITY:
            seconds.setdefault(str(row["recipe"]), []).append(row["seconds"])
    times = [["recipe", "s"], *([recipe, f"{np.mean(found):.2f}"] for recipe, found in seconds.items())]
    lines += ["## Time of a run, mean over scenes and levels", "", *_table(times, words=1)]
    verdicts = judge(summary)
    if verdicts:
        table = [["requirement", "measured", "at most", "where", "met"]]
        for one in verdicts:
            met = "yes" if one.passed else "**no**"
            table.append([one.requirement, f"{one.value:.4f}", f"{one.limit:.4f}", one.where, met])
        lines += [f"## What `{REFINED}` has to show", "", *_table(table, words=1)]
    return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]], *, words: int = 2) -> list[str]:
    rule = "|" + "---|" * words + "---:|" * (len(rows[0]) - words)
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return [written[0], rule, *written[1:], ""]
