"""The Markdown page of the uncertainty benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hsgeo.evaluation.accuracy.table import machine
from hsgeo.evaluation.uncertainty.scenes import TRUTHS, WORLDS
from hsgeo.evaluation.uncertainty.verdict import LIMITS, judge
from hsgeo.spectra.metrics import LEVELS

__all__ = ["level_name", "percent", "to_markdown"]

Row = Mapping[str, Any]

_PROTOCOL = """
Do intervals cover what they say? The true endmembers are given, in the scale of the scene's convention; noise is white,
of variance `|Y|^2 / (N L) 10^(-SNR / 10)`, its level not told to stages. The scenes have settings that no training
draws: other landscapes, bands and numbers of endmembers, effects stronger or together; every seed is another scene.

- **Intervals** are central: the product's `abundance_quantile` where it has both ends, else the quantiles of
  `abundance_sample` at positions `level (K + 1)`, else normal about the abundance by `abundance_std`, cut at 0 and 1.
  {samples}
- **Inside** are true abundances above 0.02 and below 0.98, **zeros** those that are exactly 0. Coverage and width are
  over all abundances of a group, all runs together.
- Two **truths**: the closed form of the image before its noise (NNLS over its sum, or FCLS: what the convention means
  by abundance, and what networks are trained for), and the abundances that the generator drew, which gains,
  variability, second reflections and model error part from every estimate: no statement about noise covers these.
- **CRPS**: continuous ranked probability score over all abundances, fair for few samples. **AUSE**: area between the
  two sparsification curves below, 0 for spreads that rank the errors perfectly.
- `closed-form`: the closed form of the noisy pixel with the first-order error of plain least squares, the noise told.
"""


def percent(value: float | None) -> str:
    """Write a share as per cent; empty where there is none."""
    return "" if value is None else f"{100 * value:.1f}"


def level_name(snr_db: float | None) -> str:
    """Say a noise level in words."""
    return "all" if snr_db is None else f"{snr_db:g} dB"


def to_markdown(summary: Sequence[Row], *, call: str, picture: str | None = None) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    summary : sequence of mapping
        From `hsgeo.evaluation.uncertainty.verdict.summarise`.
    call : str
        Said on the page.
    picture : str, optional
        File name of the sparsification curves, beside the page.

    Returns
    -------
    str
        Markdown.
    """
    facts = machine()
    lines = [
        "# Uncertainty",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}.",
        "",
        _PROTOCOL.format(samples=_samples(summary)).strip(),
        "",
    ]
    lines += _verdicts(summary)
    for truth in TRUTHS:
        lines += _coverage([row for row in summary if row["truth"] == truth and row["scene"] is None], truth)
    lines += _scores([row for row in summary if row["scene"] is None])
    lines += _by_scene([row for row in summary if row["scene"] is not None])
    if picture is not None:
        lines += [
            "## Sparsification",
            "",
            f"![RMSE that is left when the most uncertain pixels are taken away]({picture})",
            "",
            "RMSE of the pixels that are left over that of all, when the most uncertain ones are taken away (solid) "
            "and when the worst ones are (dashed); truth: the closed form.",
            "",
        ]
    return "\n".join(lines)


def _samples(summary: Sequence[Row]) -> str:
    counts = sorted({int(row["samples"]) for row in summary if row["samples"]})
    if not counts:
        return "No method here writes samples."
    few = min(counts)
    widest = (few - 1) / (few + 1)
    told = f"Samples: {', '.join(map(str, counts))}."
    short = [f"{100 * level:g} %" for level in LEVELS if widest < level - 1e-9]
    if short:
        told += (
            f" Even honest ones cannot cover {' and '.join(short)}: the range of {few} draws has {percent(widest)} %."
        )
    return told


def _verdicts(summary: Sequence[Row]) -> list[str]:
    verdicts = judge(summary)
    if not verdicts:
        return []
    low, high = (percent(limit) for limit in LIMITS)
    return [
        "## Is it honest?",
        "",
        f"90 % intervals should cover {low} to {high} % of the abundances inside (truth: the closed form).",
        "",
        "| method | noise | covered, % | met |",
        "|---|---|---:|---|",
        *(
            f"| `{one.method}` | {one.requirement} | {percent(one.value)} | {'yes' if one.passed else '**no**'} |"
            for one in verdicts
        ),
        "",
    ]


def _ordered(rows: Sequence[Row]) -> list[Row]:
    """Sort by level, all levels last; methods as they come."""
    return sorted(rows, key=lambda row: (row["snr_db"] is None, -(row["snr_db"] or 0)))


def _coverage(rows: Sequence[Row], truth: str) -> list[str]:
    heads = [f"{100 * level:g} %" for level in LEVELS]
    lines = [f"## Coverage, truth: {truth}", "", "Per cent covered, and mean width of the 90 % intervals.", ""]
    lines.append(
        "| noise | method | " + " | ".join(f"inside {head}" for head in heads) + " | width | "
        + " | ".join(f"zeros {head}" for head in heads) + " | width | all 90 % |"
    )  # fmt: skip
    lines.append("|---|---|" + "---:|" * (2 * len(heads) + 3))
    for row in _ordered(rows):
        cells = []
        for group in ("inside", "zero"):
            cells += [percent(row[f"{group}_cover_{level:g}"]) for level in LEVELS]
            width = row[f"{group}_width_0.9"]
            cells.append("" if width is None else f"{width:.3f}")
        cells.append(percent(row["all_cover_0.9"]))
        lines.append(f"| {level_name(row['snr_db'])} | `{row['method']}` | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _scores(rows: Sequence[Row]) -> list[str]:
    lines = ["## Scores", "", "| noise | method | truth | aRMSE | CRPS | AUSE | runs | s |"]
    lines.append("|---|---|---|" + "---:|" * 5)
    for row in _ordered(rows):
        cells = ["" if row[key] is None else f"{row[key]:.4f}" for key in ("armse", "crps", "ause")]
        cells += [str(row["runs"]), f"{row['seconds']:.1f}"]
        lines.append(
            f"| {level_name(row['snr_db'])} | `{row['method']}` | {row['truth']} | " + " | ".join(cells) + " |"
        )
    return [*lines, ""]


def _by_scene(rows: Sequence[Row]) -> list[str]:
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    lines = ["## By scene", "", "90 % intervals inside, per cent covered of the closed form / of the generator.", ""]
    lines.append("| scene | what is unlike training | " + " | ".join(f"`{name}`" for name in methods) + " |")
    lines.append("|---|---|" + "---:|" * len(methods))
    for scene in dict.fromkeys(str(row["scene"]) for row in rows):
        cells = []
        for method in methods:
            held = {row["truth"]: row for row in rows if row["scene"] == scene and row["method"] == method}
            cells.append(" / ".join(percent(held[t]["inside_cover_0.9"]) for t in TRUTHS if t in held))
        lines.append(f"| {scene} | {WORLDS[scene].summary} | " + " | ".join(cells) + " |")
    return [*lines, ""]
