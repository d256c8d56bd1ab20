"""The Markdown page of the noise benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.accuracy.table import machine
from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD
from hsgeo.evaluation.noise.verdict import geometric_mean, judge

__all__ = ["cells", "level_name", "to_markdown"]

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
- Noise is {kind}; its variance is `|Y|^2 / (N L) 10^(-SNR / 10)`.
- `sunsal-tv` is the stage with its default weights. *In italics: rivals that know the answer.* `sunsal-tv*` has the
  best weight on the truth, case by case; `tv*` is channelwise total variation with the best weight and the best of four
  solvers on the truth, case by case (the closed form's maps denoised, or half-quadratic splitting between a
  constrained or plain least-squares step and the denoising).
- Everything else runs the way users run it: `hsgeo.unmix(scene, stages=[...], endmembers=truth)`, the endmembers saying
  their scale. No pixel or band is left out (`scene.screen` false, `scene.bad_bands` empty): the truths were made from
  all of them. Free sums of the peak convention are divided by themselves; pixels without a result count as 0.
"""


def level_name(snr_db: float) -> str:
    """Say a noise level in words."""
    return "clean" if np.isinf(snr_db) else f"{snr_db:g} dB"


def cells(rows: Sequence[Row], scenes: Sequence[str]) -> tuple[list[str], str]:
    """Write the cells of a method at a level.

    Parameters
    ----------
    rows : sequence of mapping
        From `summarise`, of one method and level.
    scenes : sequence of str
        Columns.

    Returns
    -------
    list of str
        Error and ratio, scene by scene; empty where it was not run.
    str
        Geometric mean of the ratios; empty where a scene is missing, or without noise, where errors are near 0.
    """
    by_scene = {row["scene"]: row for row in rows}
    texts = []
    for scene in scenes:
        row = by_scene.get(scene)
        if row is None:
            texts.append("")
            continue
        clean = np.isinf(row["snr_db"])
        ratio = "" if row["ratio"] is None or clean or row["method"] == CLOSED_FORM else f" ({row['ratio']:.2f})"
        texts.append(f"{row['mean']:.4f}{ratio}")
    mean = geometric_mean([by_scene[scene]["ratio"] if scene in by_scene else None for scene in scenes])
    shown = mean is not None and not any(np.isinf(row["snr_db"]) for row in rows)
    return texts, f"{mean:.3f}" if shown else ""


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
        "# Noise",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}; device: {devices}.",
        "",
        _PROTOCOL.format(seeds=seeds, kind=_KINDS[kind]).strip(),
        "",
        "| scene | truth |",
        "|---|---|",
    ]
    for scene in scenes:
        row = next(row for row in summary if row["scene"] == scene)
        lines.append(f"| {scene} | `{row['convention']}`, {row['scale']} |")
    lines.append("")
    for level in sorted({float(row["snr_db"]) for row in summary}, reverse=True):
        lines += [f"## {level_name(level)}", ""]
        lines.append("| method | " + " | ".join(scenes) + " | mean ratio | s |")
        lines.append("|---|" + "---:|" * (len(scenes) + 2))
        here = [row for row in summary if row["snr_db"] == level]
        for method in dict.fromkeys(str(row["method"]) for row in here):
            mine = [row for row in here if row["method"] == method]
            texts, mean = cells(mine, scenes)
            seconds = float(np.mean([row["seconds"] for row in mine]))
            name = f"*{method.replace('*', chr(92) + '*')}*" if method in TOLD else f"`{method}`"
            lines.append(f"| {name} | " + " | ".join([*texts, mean, f"{seconds:.2f}"]) + " |")
        lines.append("")
    verdicts = judge(summary)
    if verdicts:
        lines += [
            "## What a spatial method has to show",
            "",
            "Ratios to the closed form, over the scenes above.",
            "",
            "| method | requirement | measured | at most | scene | met |",
            "|---|---|---:|---:|---|---|",
        ]
        lines += [
            f"| `{one.method}` | {one.requirement} | {one.value:.4f} | {one.limit:.4f} | {one.where} | "
            f"{'yes' if one.passed else '**no**'} |"
            for one in verdicts
        ]
        lines.append("")
    return "\n".join(lines)
