"""Rows to tables: sums over the seeds, and the Markdown page."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.evaluation.accuracy.runs import SANITY
from hsgeo.evaluation.conventions import CONVENTIONS

__all__ = ["machine", "summarise_rows", "to_markdown"]

BASELINE = "vca[restarts=1]+fcls"
"""The published method that contenders are paired with: one draw of VCA, then FCLS."""

_LEAST = 6  # pairs below which a signed-rank test cannot reach p < 0.05

Row = Mapping[str, Any]

_HEADS = (
    "SNR dB", "recipe", "runs", "aRMSE mean ± std", "median", "worst", "SAD mean ± std", "worst", "missing", "flips",
    "other", "s", "p",
)  # fmt: skip

_PROTOCOL = """
Recipes are blind, those that take a library excepted (the number of endmembers is {told}), and one configuration serves
all scenes. A run is scored in the convention of its truth: the classic truths are outputs of a pixelwise unmixing
themselves, and errors under different conventions cannot be compared.

- **aRMSE** is the root of the mean squared error over all pixels and endmembers; **SAD** the mean spectral angle, rad.
- Estimates are matched by one Hungarian assignment on spectral angles, those of a library by names; *flips* counts the
  runs in which matching by abundances gives other pairs. A pixel without a result counts as abundance
  0; *missing* is their mean number.
- Noise is white, of variance `|Y|^2 / (N L) 10^(-SNR / 10)`; the seed sets the noise and everything random in a recipe.
- *other* is the mean aRMSE of the same recipe in the other convention (peak or physical): it shows the convention, not
  the method. *s* is the mean time of one run, fit and maps. *p*: paired Wilcoxon test against `{baseline}`.
- `uniform` gives every endmember 1/P. `oracle` is the closed form of the truth's convention with the true endmembers
  (peak: NNLS divided by the sum; physical: FCLS). `lmm-oracle` is FCLS with the endmembers that fit the image best
  given the true abundances. They bound the linear model, and a recipe may beat them where the truth is another one:
  a peak one, or areas on the ground.
"""


def summarise_rows(rows: Iterable[Row], *, baseline: str = BASELINE) -> list[dict[str, Any]]:
    """Sum runs up over their seeds.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the CSV, numbers as text or not.
    baseline : str
        The recipe of the paired Wilcoxon test.

    Returns
    -------
    list of dict
        One for each scene, noise level and recipe: ``runs``; aRMSE ``mean``, ``std``, ``median``, ``worst`` in the
        truth's own convention; ``msad_rad``, ``msad_std``, ``msad_worst``; ``other`` (mean aRMSE in the other
        convention, None: not run); ``missing`` (mean number of pixels without a result); ``disagree`` (runs in which
        matching by abundances gives other pairs); ``seconds``; ``device``; ``p`` of the two-sided test against the
        baseline, None: too few pairs.
    """
    own: dict[tuple[str, str, str], dict[int, Row]] = {}
    other: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        key = (str(row["scene"]), str(row["snr_db"]), str(row["recipe"]))
        if str(row["headline"]) == "True":
            own.setdefault(key, {})[int(row["seed"])] = row
        else:
            other.setdefault(key, []).append(float(row["armse"]))
    summary = []
    for (scene, snr_db, recipe), runs in own.items():
        errors = np.array([float(row["armse"]) for row in runs.values()])
        angles = np.array([float(row["msad_rad"]) for row in runs.values() if row["msad_rad"] not in (None, "")])
        apart = other.get((scene, snr_db, recipe))
        summary.append(
            {
                "scene": scene,
                "convention": str(next(iter(runs.values()))["convention"]),
                "scale": str(next(iter(runs.values()))["scale"]),
                "snr_db": snr_db,
                "recipe": recipe,
                "runs": len(runs),
                "mean": float(errors.mean()),
                "std": _std(errors),
                "median": float(np.median(errors)),
                "worst": float(errors.max()),
                "msad_rad": float(angles.mean()) if angles.size else None,
                "msad_std": _std(angles) if angles.size else None,
                "msad_worst": float(angles.max()) if angles.size else None,
                "other": float(np.mean(apart)) if apart else None,
                "missing": float(np.mean([int(row["missing"]) for row in runs.values()])),
                "disagree": sum(str(row["matches_agree"]) != "True" for row in runs.values()),
                "seconds": float(np.mean([float(row["fit_s"]) + float(row["apply_s"]) for row in runs.values()])),
                "device": str(next(iter(runs.values()))["device"]),
                "p": _wilcoxon(runs, own.get((scene, snr_db, baseline), {})) if recipe != baseline else None,
            }
        )
    return summary


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else 0.0


def _wilcoxon(runs: Mapping[int, Row], others: Mapping[int, Row]) -> float | None:
    shared = sorted(runs.keys() & others.keys())
    apart = np.array([float(runs[seed]["armse"]) - float(others[seed]["armse"]) for seed in shared])
    if len(shared) < _LEAST or not apart.any():
        return None
    from scipy.stats import wilcoxon

    return float(wilcoxon(apart).pvalue)


def machine() -> dict[str, str]:
    """Tell what the numbers were measured with.

    Returns
    -------
    dict of str to str
        Processor, cores, versions.
    """
    import os
    from importlib.metadata import PackageNotFoundError, version

    def of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "absent"

    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{processor}, {cores} cores",
        "versions": ", ".join(f"{name} {of(name)}" for name in ("hsgeo", "numpy", "scipy", "numba")),
        "python": platform.python_version(),
    }


def to_markdown(summary: Sequence[Mapping[str, Any]], *, call: str, count: str) -> str:
    """Write the page of docs/benchmarks.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise_rows`.
    call : str
        The command that made it.
    count : {"known", "auto"}
        Whether the number of endmembers was told.

    Returns
    -------
    str
        Markdown.
    """
    facts = machine()
    told = "told" if count == "known" else "found out"
    lines = [
        "# Accuracy",
        "",
        f"Written by `{call}`. {facts['versions']}, Python {facts['python']}; {facts['processor']}.",
        "",
        _PROTOCOL.format(told=told, baseline=BASELINE).strip(),
        "",
    ]
    for scene in dict.fromkeys(str(row["scene"]) for row in summary):
        mine = [row for row in summary if row["scene"] == scene]
        convention = str(mine[0]["convention"])
        lines += [f"## {scene}", "", f"Truth `{convention}`: {CONVENTIONS[convention][1]}.", ""]
        lines += [
            "| " + " | ".join(_HEADS) + " |",
            "|---:|---|" + "---:|" * (len(_HEADS) - 2),
        ]
        lines += [_line(row) for row in ordered(mine)]
        lines.append("")
    return "\n".join(lines)


def ordered(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort by noise, least first; sanity rows after the recipes, recipes by their mean error."""
    return sorted(rows, key=lambda row: (-float(row["snr_db"]), row["recipe"] in SANITY, row["mean"]))


def _line(row: Mapping[str, Any]) -> str:
    def number(value: Any, form: str = ".4f") -> str:
        return "" if value is None else format(value, form)

    angle = "" if row["msad_rad"] is None else f"{row['msad_rad']:.4f} ± {row['msad_std']:.4f}"
    recipe = f"*{row['recipe']}*" if row["recipe"] in SANITY else f"`{row['recipe']}`"
    cells = [
        row["snr_db"], recipe, row["runs"], f"{row['mean']:.4f} ± {row['std']:.4f}", number(row["median"]),
        number(row["worst"]), angle, number(row["msad_worst"]), f"{row['missing']:g}", row["disagree"],
        number(row["other"]),
        number(row["seconds"], ".2f"), number(row["p"], ".3g"),
    ]  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
