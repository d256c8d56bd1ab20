"""Rows to ratios, what a stage that makes endmembers again has to show, and the Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.accuracy.table import machine
from hsgeo.evaluation.noise.verdict import Verdict, geometric_mean

__all__ = ["judge", "summarise", "to_markdown"]

Row = Mapping[str, Any]

_NOISY, _MEAN, _WORST, _CLEAN = (20.0, 10.0), 0.8, 1.0, 1.02

_PROTOCOL = """
A stage finds endmembers of an image with white noise (variance `|Y|^2 / (N L) 10^(-SNR / 10)`), told how many there
are; another one makes them again. Both run as users run them. {seeds}; the seed sets the noise and everything random;
one configuration serves all scenes and levels.

- Cells are the **mean spectral angle** (rad) to the true endmembers, one Hungarian assignment, mean over the seeds,
  before and after; and, in brackets, the ratio of the two means. The mean ratio is the geometric one over the scenes.
- *smoothed* is the same start, projected on as many directions of the pixels as there are endmembers and two more, and
  smoothed over seven bands with binomial weights.
"""


def summarise(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Sum runs up over their seeds.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the CSV, numbers as text or not.

    Returns
    -------
    list of dict
        One for each start, method, level and scene: ``runs``; ``before``, ``after`` and ``smoothed``, mean angles in
        rad; ``ratio`` and ``smoothed_ratio`` to the start (None: that is 0); ``worst``, the largest ratio of a run;
        ``same``, mean number of endmembers left in every bit; ``seconds``.
    """
    runs: dict[tuple[str, str, float, str], list[Row]] = {}
    for row in rows:
        key = (str(row["start"]), str(row["method"]), float(row["snr_db"]), str(row["scene"]))
        runs.setdefault(key, []).append(row)
    summary = []
    for (start, method, snr_db, scene), mine in runs.items():
        before, after, smooth = (
            np.array([float(row[f"{name}_rad"]) for row in mine]) for name in ("before", "after", "smoothed")
        )
        middle = float(before.mean())
        summary.append(
            {
                "start": start,
                "method": method,
                "snr_db": snr_db,
                "scene": scene,
                "runs": len(mine),
                "before": middle,
                "after": float(after.mean()),
                "smoothed": float(smooth.mean()),
                "ratio": float(after.mean()) / middle if middle > 0 else None,
                "smoothed_ratio": float(smooth.mean()) / middle if middle > 0 else None,
                "worst": float((after / before).max()) if (before > 0).all() else None,
                "same": float(np.mean([int(row["same"]) for row in mine])),
                "seconds": float(np.mean([float(row["seconds"]) for row in mine])),
            }
        )
    return summary


def judge(summary: Sequence[Row]) -> list[Verdict]:
    """Hold methods against what they have to show, start by start.

    At 20 and 10 dB the geometric mean over the scenes of the ratio is at most 0.8, none is above 1, and it is at most
    that of the smoothed start; without noise no ratio is above 1.02.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`.

    Returns
    -------
    list of Verdict
        For the levels that were run.
    """
    verdicts = []
    for start, method in dict.fromkeys((row["start"], row["method"]) for row in summary):
        name = f"{method} after {start}"
        mine = [row for row in summary if (row["start"], row["method"]) == (start, method)]
        for level in _NOISY:
            at = [row for row in mine if row["snr_db"] == level]
            if not at:
                continue
            mean = _mean(at, "ratio")
            verdicts.append(Verdict(name, f"{level:g} dB, geometric mean", mean, _MEAN))
            verdicts.append(_worst(name, f"{level:g} dB, worst scene", at, _WORST))
            rival = _mean(at, "smoothed_ratio")
            verdicts.append(Verdict(name, f"{level:g} dB, geometric mean, against smoothed", mean / rival, 1.0))
        clean = [row for row in mine if np.isinf(row["snr_db"])]
        if clean:
            verdicts.append(_worst(name, "clean, worst scene", clean, _CLEAN))
    return verdicts


def _mean(rows: Sequence[Row], key: str) -> float:
    found = geometric_mean([row[key] for row in rows])
    return float("nan") if found is None else found


def _worst(name: str, requirement: str, rows: Sequence[Row], limit: float) -> Verdict:
    known = [row for row in rows if row["ratio"] is not None]
    if not known:
        return Verdict(name, requirement, float("nan"), limit)
    row = max(known, key=lambda row: row["ratio"])
    return Verdict(name, requirement, row["ratio"], limit, str(row["scene"]))


def to_markdown(summary: Sequence[Row], *, call: str) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`.
    call : str
        The command that made it.

    Returns
    -------
    str
        Markdown.
    """
    facts = machine()
    runs = {int(row["runs"]) for row in summary} or {0}
    seeds = f"{max(runs)} seeds" if len(runs) == 1 else f"{min(runs)} to {max(runs)} seeds"
    scenes = list(dict.fromkeys(str(row["scene"]) for row in summary))
    lines = [
        "# Endmembers",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}.",
        "",
        _PROTOCOL.format(seeds=seeds).strip(),
        "",
    ]
    for start in dict.fromkeys(str(row["start"]) for row in summary):
        for level in sorted({float(row["snr_db"]) for row in summary}, reverse=True):
            here = [row for row in summary if row["start"] == start and row["snr_db"] == level]
            if not here:
                continue
            lines += [f"## {start}, {'clean' if np.isinf(level) else f'{level:g} dB'}", ""]
            lines += ["| | " + " | ".join(scenes) + " | mean ratio |", "|---|" + "---:|" * (len(scenes) + 1)]
            first = [row for row in here if row["method"] == here[0]["method"]]
            lines.append(_line(f"`{start}`", first, scenes, "before", None))
            lines.append(_line("*smoothed*", first, scenes, "smoothed", "smoothed_ratio"))
            for method in dict.fromkeys(str(row["method"]) for row in here):
                mine = [row for row in here if row["method"] == method]
                lines.append(_line(f"`{method}`", mine, scenes, "after", "ratio"))
            lines.append("")
    lines += [
        "## What a stage that makes endmembers again has to show",
        "",
        "| what | requirement | measured | at most | scene | met |",
        "|---|---|---:|---:|---|---|",
    ]
    lines += [
        f"| `{one.method}` | {one.requirement} | {one.value:.3f} | {one.limit:g} | {one.where} | "
        f"{'yes' if one.passed else '**no**'} |"
        for one in judge(summary)
    ]
    return "\n".join([*lines, ""])


def _line(name: str, rows: Sequence[Row], scenes: Sequence[str], key: str, ratio: str | None) -> str:
    by_scene = {str(row["scene"]): row for row in rows}
    texts = []
    for scene in scenes:
        row = by_scene.get(scene)
        value = "" if row is None else f"{row[key]:.4f}"
        if row is not None and ratio is not None and row[ratio] is not None:
            value += f" ({row[ratio]:.2f})" if row[ratio] < 100 else " (>100)"
        texts.append(value)
    mean = "" if ratio is None else _mean(rows, ratio)
    shown = mean if isinstance(mean, str) else "" if not np.isfinite(mean) or mean > 100 else f"{mean:.3f}"
    return f"| {name} | " + " | ".join([*texts, shown]) + " |"
