"""The Markdown page of the noise benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.accuracy.table import machine
from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD
from hsgeo.evaluation.noise.requirements import SELF_TUNED, TV
from hsgeo.evaluation.noise.scenes import group_of
from hsgeo.evaluation.noise.verdict import geometric_mean, judge, level_name, mean_of, over

__all__ = ["beside", "border_lines", "cells", "columns", "page_name", "to_markdown"]

Row = Mapping[str, Any]

_KINDS = {
    "white": "white",
    "striped": "half of its power white, half an offset of every column and band that stays down the rows",
    "banded": "white in every band, its standard deviation log-uniform over a decade from band to band",
}

_PROTOCOL = """
The true endmembers are given and a method estimates abundances alone. {seeds}; the seed sets the noise and everything
random in a method; one configuration serves all scenes and levels.

- Cells are **aRMSE** (root of the mean squared error over all pixels and endmembers, mean over the seeds) and, in
  brackets, its **ratio to the closed form** of the truth's convention; the mean ratio is their geometric mean.
- The closed form is NNLS with endmembers of highest band 1, divided by the sum (peak), or FCLS (physical). The classic
  truths are outputs of these rules on the clean image, so the clean row shows harm, never gain.
- The mean ratio is over the scenes with a column of their own; held-out procedural scenes share one.
- Noise is {kind}; its variance is `|Y|^2 / (N L) 10^(-SNR / 10)`.
- `sunsal-tv` is the stage with its default weights. *In italics: rivals that know the answer.* `sunsal-tv*` has the
  best weight on the truth, case by case; `tv*` is channelwise total variation with the best weight and the best of four
  solvers on the truth, case by case (the closed form's maps denoised, or half-quadratic splitting between a
  constrained or plain least-squares step and the denoising).
- Everything else runs the way users run it: `hsgeo.unmix(scene, stages=[...], endmembers=truth)`, the endmembers saying
  their scale. No pixel or band is left out (`scene.screen` false, `scene.bad_bands` empty): the truths were made from
  all of them. Free sums of the peak convention are divided by themselves; pixels without a result count as 0.
"""

_PROCEDURAL = """
Procedural scenes are held out: drawn from the formulas of the training scenes with seeds that no training uses; 100 x
100 pixels, 3 to 6 endmembers, 130 to 170 bands, peak and physical in turn; gain, second reflections and path light as
they come, variability and model error always. Their truth is what training aims at: the closed form of the image
without noise, not what the image was mixed from. `wide` is another one of 400 x 400 pixels with soft transitions.
"""

_BESIDE = "aRMSE over that of {base}: mean over the levels, scene by scene; the last column is the mean of the scenes."
_LOW, _HIGH = 10.0, 20.0  # dB: where a spatial method is to help


def page_name(kind: str) -> str:
    """Name the file of a page: each kind of noise has its own.

    Parameters
    ----------
    kind : str
        Of `hsgeo.evaluation.noise.corrupt.KINDS`.

    Returns
    -------
    str
        ``noise.md`` or, of another than white noise, ``noise-KIND.md``.
    """
    return "noise.md" if kind == "white" else f"noise-{kind}.md"


def columns(scenes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Make columns of scenes: each its own, but the held-out procedural ones together where there are others.

    Parameters
    ----------
    scenes : sequence of str
        That were run.

    Returns
    -------
    dict of str to tuple of str
        Scenes by heading.
    """
    made = tuple(scene for scene in scenes if group_of(scene) == "procedural")
    if len(made) in (0, 1, len(scenes)):
        return {scene: (scene,) for scene in scenes}
    return {scene: (scene,) for scene in scenes if scene not in made} | {f"procedural ({len(made)})": made}


def cells(rows: Sequence[Row], scenes: Sequence[str]) -> tuple[list[str], str]:
    """Write the cells of a method at a level.

    Parameters
    ----------
    rows : sequence of mapping
        From `summarise`, of one method and level.
    scenes : sequence of str
        All that the table is about.

    Returns
    -------
    list of str
        Mean error and geometric mean of the ratios, a cell for each of `columns`; empty where it was not run.
    str
        Geometric mean of the ratios over the scenes with a column of their own; empty where a scene is missing, or
        without noise, where errors are near 0.
    """
    by_scene = {row["scene"]: row for row in rows}
    clean = any(np.isinf(row["snr_db"]) for row in rows)
    texts = []
    for members in columns(scenes).values():
        mine = [by_scene[scene] for scene in members if scene in by_scene]
        if len(mine) < len(members):
            texts.append("")
            continue
        mean = geometric_mean([row["ratio"] for row in mine])
        shown = mean is not None and not clean and mine[0]["method"] != CLOSED_FORM
        texts.append(f"{np.mean([row['mean'] for row in mine]):.4f}" + (f" ({mean:.2f})" if shown else ""))
    single = [members[0] for members in columns(scenes).values() if len(members) == 1]
    mean = geometric_mean([by_scene[scene]["ratio"] if scene in by_scene else None for scene in single])
    return texts, f"{mean:.3f}" if mean is not None and not clean else ""


def beside(summary: Sequence[Row], base: str) -> list[list[str]]:
    """Tabulate methods over a base under strong noise: mean of the ratios at 10 to 20 dB.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`.
    base : str
        Of `BASES`.

    Returns
    -------
    list of list of str
        The heading and a line for each method: its name, the ratio for each of `columns`, the mean over the scenes with
        a column of their own; no line at all where the base was not run.
    """
    noisy = [row for row in summary if _LOW <= row["snr_db"] <= _HIGH]
    scenes = list(dict.fromkeys(str(row["scene"]) for row in noisy))
    if not any(row["method"] == base for row in noisy):
        return []
    lines = [["method", *columns(scenes), "mean"]]
    for method in dict.fromkeys(str(row["method"]) for row in noisy):
        found = over([row for row in noisy if row["method"] == method], base)
        means = [mean_of(found.get(scene) for scene in members) for members in columns(scenes).values()]
        single = [mean for mean, members in zip(means, columns(scenes).values(), strict=True) if len(members) == 1]
        lines.append([method, *("" if mean is None else f"{mean:.3f}" for mean in [*means, mean_of(single)])])
    return lines


def border_lines(summary: Sequence[Row]) -> list[str]:
    """Say what the windows of methods left in their maps.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`.

    Returns
    -------
    list of str
        One for each method, scene and level where it was measured.
    """
    return [
        f"{row['method']}, {row['scene']}, {level_name(row['snr_db'])}: gradient at the borders of windows "
        f"of {row['window']} pixels {row['border']:.3f} x that inside, of the truth {row['border_truth']:.3f} x; "
        f"quotient {row['border'] / row['border_truth']:.3f}, elsewhere 1 +- {row['border_spread']:.3f}"
        for row in summary
        if row["border"] is not None
    ]


def to_markdown(summary: Sequence[Row], *, call: str) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`, one kind of noise.
    call : str
        The command that made it.

    Returns
    -------
    str
        Markdown.
    """
    facts = machine()
    kind = str(summary[0]["noise"]) if summary else "white"
    runs = {int(row["runs"]) for row in summary if np.isfinite(row["snr_db"])} or {1}
    seeds = f"{max(runs)} seeds" if len(runs) == 1 else f"{min(runs)} to {max(runs)} seeds"
    devices = ", ".join(sorted({str(row["device"]) for row in summary})) or "none"
    scenes = list(dict.fromkeys(str(row["scene"]) for row in summary))
    lines = [
        "# Noise" if kind == "white" else f"# Noise: {kind}",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}; device: {devices}.",
        "",
        _PROTOCOL.format(seeds=seeds, kind=_KINDS[kind]).strip(),
        "",
    ]
    if any(group_of(scene) in ("procedural", "wide") for scene in scenes):
        lines += [_PROCEDURAL.strip(), ""]
    lines += ["| scene | truth |", "|---|---|"]
    for heading, members in columns(scenes).items():
        truths = {(row["convention"], row["scale"]) for row in summary if row["scene"] in members}
        lines.append(f"| {heading} | {', '.join(f'`{name}`, {scale}' for name, scale in sorted(truths))} |")
    lines.append("")
    for level in sorted({float(row["snr_db"]) for row in summary}, reverse=True):
        lines += [f"## {level_name(level)}", ""]
        here = [row for row in summary if row["snr_db"] == level]
        table = [["method", *columns(scenes), "mean ratio", "s"]]
        for method in dict.fromkeys(str(row["method"]) for row in here):
            mine = [row for row in here if row["method"] == method]
            texts, mean = cells(mine, scenes)
            table.append([_shown(method), *texts, mean, f"{np.mean([row['seconds'] for row in mine]):.2f}"])
        lines += _table(table)
    for base in (TV, SELF_TUNED):
        table = beside(summary, base)
        if table:
            name = _escaped(base)
            lines += [f"## Over {name}, {_LOW:g} to {_HIGH:g} dB", "", _BESIDE.format(base=name), ""]
            lines += _table([table[0], *([_shown(line[0]), *line[1:]] for line in table[1:])])
    lines += _held_out(summary)
    marks = border_lines(summary)
    if marks:
        lines += ["## Borders of windows", "", *(f"- {_escaped(line)}" for line in marks), ""]
    verdicts = judge(summary)
    if verdicts:
        lines += ["## What methods have to show", ""]
        table = [["method", "requirement", "measured", "at most", "where", "met"]]
        for one in verdicts:
            numbers = [f"{one.value:.4f}", f"{one.limit:.4f}"]
            met = "yes" if one.passed else "**no**"
            table.append([f"`{one.method}`", _escaped(one.requirement), *numbers, one.where, met])
        lines += _table(table, words=2)
    return "\n".join(lines)


def _held_out(summary: Sequence[Row]) -> list[str]:
    """Tabulate the procedural scenes one by one, methods over tv*: the mean hides which of them are hard."""
    made = [row for row in summary if group_of(str(row["scene"])) == "procedural" and _LOW <= row["snr_db"] <= _HIGH]
    if not any(row["method"] == TV for row in made):
        return []
    methods = [name for name in dict.fromkeys(str(row["method"]) for row in made) if name != TV]
    ratios = {name: over([row for row in made if row["method"] == name], TV) for name in methods}
    table = [["scene", "truth", *(_shown(name) for name in methods)]]
    for scene in dict.fromkeys(str(row["scene"]) for row in made):
        scale = next(str(row["scale"]) for row in made if row["scene"] == scene)
        found = [ratios[name].get(scene) for name in methods]
        table.append([scene, scale, *("" if ratio is None else f"{ratio:.3f}" for ratio in found)])
    return [f"## Held-out scenes over {_escaped(TV)}, {_LOW:g} to {_HIGH:g} dB", "", *_table(table, words=2)]


def _table(rows: Sequence[Sequence[str]], *, words: int = 1) -> list[str]:
    """Write a table whose first columns are words and whose others are numbers."""
    rule = "|" + "---|" * words + "---:|" * (len(rows[0]) - words)
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return [written[0], rule, *written[1:], ""]


def _shown(method: str) -> str:
    return f"*{_escaped(method)}*" if method in TOLD else f"`{method}`"


def _escaped(text: str) -> str:
    return text.replace("*", r"\*")
