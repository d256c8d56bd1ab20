"""Rows to ratios: every method over the closed form and over total variation, and whether that is what is required."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hsgeo.evaluation.noise.methods import CLOSED_FORM
from hsgeo.evaluation.noise.requirements import BASES, REQUIREMENTS, Requirement
from hsgeo.evaluation.noise.scenes import group_of

__all__ = ["Verdict", "geometric_mean", "judge", "level_name", "mean_of", "over", "summarise"]

Row = Mapping[str, Any]

_BORDER = 1.02  # gradient at the borders of windows over that inside, relative to the same of the truth


class Verdict(NamedTuple):
    """One requirement, one method.

    Parameters
    ----------
    method : str
        Who.
    requirement : str
        In words.
    value : float
        What was measured.
    limit : float
        What it has to be at most.
    where : str
        Scene of the value and its noise, or the number of scenes.
    """

    method: str
    requirement: str
    value: float
    limit: float
    where: str = ""

    @property
    def passed(self) -> bool:
        """Whether the requirement is met; a value that is not finite does not."""
        return bool(self.value <= self.limit)


def summarise(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Sum runs up over their seeds.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the CSV, numbers as text or not.

    Returns
    -------
    list of dict
        One for each kind of noise, level, method and scene: ``runs``; aRMSE ``mean``, ``std``, ``worst``; ``over``, the
        ratio of the mean to that of each of `BASES` over the same seeds (None: it is not there or 0), and ``ratio``,
        that to the closed form, whose mean is ``closed``; ``missing`` and ``seconds``, means; ``window``, ``border``,
        ``border_truth`` and ``border_spread``, means (None: not measured); ``convention``, ``scale``, ``device``.
    """
    runs: dict[tuple[str, float, str, str], dict[int, Row]] = {}
    for row in rows:
        key = (str(row["noise"]), float(row["snr_db"]), str(row["method"]), str(row["scene"]))
        runs.setdefault(key, {})[int(row["seed"])] = row
    summary = []
    for (noise, snr_db, method, scene), mine in runs.items():
        errors = {seed: float(row["armse"]) for seed, row in mine.items()}
        ratios, divisors = {}, {}
        for base in BASES:
            others = {int(s): float(r["armse"]) for s, r in runs.get((noise, snr_db, base, scene), {}).items()}
            if np.isinf(snr_db) and others:  # without noise a base is the same for every seed
                others = dict.fromkeys(errors, others[min(others)])
            shared = errors.keys() & others.keys()
            divisor = float(np.mean([others[seed] for seed in shared])) if shared else None
            divisors[base] = divisor
            ratios[base] = float(np.mean([errors[seed] for seed in shared])) / divisor if divisor else None
        values = np.array(list(errors.values()))
        first = next(iter(mine.values()))
        summary.append(
            {
                "noise": noise,
                "snr_db": snr_db,
                "method": method,
                "scene": scene,
                "runs": len(mine),
                "mean": float(values.mean()),
                "std": float(values.std(ddof=1)) if values.size > 1 else 0.0,
                "worst": float(values.max()),
                "closed": divisors[CLOSED_FORM],
                "ratio": ratios[CLOSED_FORM],
                "over": ratios,
                "missing": float(np.mean([int(row["missing"]) for row in mine.values()])),
                "window": int(first["window"]) if first.get("window") else None,
                "border": _mean(mine.values(), "border"),
                "border_truth": _mean(mine.values(), "border_truth"),
                "border_spread": _mean(mine.values(), "border_spread"),
                "seconds": float(np.mean([float(row["seconds"]) for row in mine.values()])),
                "convention": str(first["convention"]),
                "scale": str(first["scale"]),
                "device": str(first["device"]),
            }
        )
    return summary


def _mean(rows: Iterable[Row], column: str) -> float | None:
    values = [float(row[column]) for row in rows if row.get(column)]
    return float(np.mean(values)) if values else None


def geometric_mean(ratios: Sequence[float | None]) -> float | None:
    """Return the geometric mean of ratios; None where one of them is missing or there is none.

    Parameters
    ----------
    ratios : sequence of float or None
        Of one method and level, scene by scene.

    Returns
    -------
    float or None
        The mean; 0 where a ratio is 0.
    """
    if not ratios or any(ratio is None for ratio in ratios):
        return None
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log([float(ratio) for ratio in ratios if ratio is not None]))))


def over(rows: Sequence[Row], base: str, *, low: float = -np.inf, high: float = np.inf) -> dict[str, float | None]:
    """Average the ratios of a method to a base over noise levels, scene by scene.

    Parameters
    ----------
    rows : sequence of mapping
        From `summarise`, of one method.
    base : str
        Of `BASES`.
    low, high : float
        Levels that count, dB, both included.

    Returns
    -------
    dict of str to float or None
        Arithmetic mean by scene; None where a level has no ratio.
    """
    ratios: dict[str, list[float | None]] = {}
    for row in rows:
        if low <= row["snr_db"] <= high:
            ratios.setdefault(str(row["scene"]), []).append(row["over"][base])
    return {scene: mean_of(found) for scene, found in ratios.items()}


def mean_of(ratios: Iterable[float | None]) -> float | None:
    """Return the arithmetic mean of ratios; None where one of them is missing or there is none.

    Parameters
    ----------
    ratios : iterable of float or None
        Ratios.

    Returns
    -------
    float or None
        Their mean.
    """
    held = list(ratios)
    known = [float(ratio) for ratio in held if ratio is not None]
    return float(np.mean(known)) if held and len(known) == len(held) else None


def judge(summary: Sequence[Row]) -> list[Verdict]:
    """Hold methods against `REQUIREMENTS`, as far as their levels and scenes were run, and against marks of windows.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`, one kind of noise; only white noise is judged.

    Returns
    -------
    list of Verdict
        Method after method; the closed form is not judged.
    """
    summary = [row for row in summary if row["noise"] == "white"]
    verdicts = []
    for method in dict.fromkeys(str(row["method"]) for row in summary):
        mine = [row for row in summary if row["method"] == method]
        for one in REQUIREMENTS:
            if one.asked_of(method):
                counts = [row for row in mine if group_of(str(row["scene"])) in one.groups]
                counts = [row for row in counts if one.low <= row["snr_db"] <= one.high]
                if counts:
                    verdicts.append(_judged(method, one, counts))
        # one map of 400 x 400 pixels tells the quotient within 2 %; smaller ones nothing
        marked = [row for row in mine if row["border"] is not None and group_of(str(row["scene"])) == "wide"]
        if marked:
            value = float(np.mean([row["border"] / row["border_truth"] for row in marked]))
            levels = ", ".join(level_name(row["snr_db"]) for row in marked)
            name = "gradient at borders of windows over that inside, over the same of the truth"
            verdicts.append(Verdict(method, name, value, _BORDER, f"mean of {levels}"))
    return verdicts


def level_name(snr_db: float) -> str:
    """Say a noise level in words.

    Parameters
    ----------
    snr_db : float
        dB; infinity: none.

    Returns
    -------
    str
        ``"20 dB"`` or ``"clean"``.
    """
    return "clean" if np.isinf(snr_db) else f"{snr_db:g} dB"


def _judged(method: str, one: Requirement, rows: Sequence[Row]) -> Verdict:
    says = one.says(tuple({float(row["snr_db"]) for row in rows}))
    if one.how == "harm":
        limits = [one.limit * (row["closed"] or 0.0) + one.extra for row in rows]
        k = int(np.argmax([row["mean"] - limit for row, limit in zip(rows, limits, strict=True)]))
        where = f"{rows[k]['scene']}, {level_name(rows[k]['snr_db'])}"
        return Verdict(method, says, rows[k]["mean"], limits[k], where)
    if one.how == "worst case":
        row = max(rows, key=lambda row: _known(row["over"][one.base]))
        where = f"{row['scene']}, {level_name(row['snr_db'])}"
        return Verdict(method, says, _number(row["over"][one.base]), one.limit, where)
    scenes = over(rows, one.base)
    if one.how == "worst scene":
        scene = max(scenes, key=lambda name: _known(scenes[name]))
        return Verdict(method, says, _number(scenes[scene]), one.limit, scene)
    mean = mean_of(scenes.values()) if one.how == "mean" else geometric_mean(list(scenes.values()))
    return Verdict(method, says, _number(mean), one.limit, f"{len(scenes)} scene{'s' if len(scenes) > 1 else ''}")


def _known(ratio: float | None) -> float:
    """Sort what could not be measured as the worst."""
    return np.inf if ratio is None else ratio


def _number(ratio: float | None) -> float:
    return float("nan") if ratio is None else ratio
