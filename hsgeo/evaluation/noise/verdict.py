"""Rows to ratios: every method over the closed form, and whether that is what a spatial method has to reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hsgeo.evaluation.noise.methods import CLOSED_FORM

__all__ = ["Verdict", "geometric_mean", "judge", "summarise"]

Row = Mapping[str, Any]

# What a spatial method has to show per scene against the closed form: half the error under noise, no harm without.
_NOISY = (20.0, 10.0)
_MEAN, _WORST, _MILD, _CLEAN, _CLEAN_EXTRA = 0.55, 0.9, 1.02, 1.05, 2e-3


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
        Scene of the value; empty: all.
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
        One for each kind of noise, level, method and scene: ``runs``; aRMSE ``mean``, ``std``, ``worst``; ``ratio``
        of the mean to the closed form's over the same seeds (None: it is not there or 0); ``missing`` and ``seconds``,
        means; ``convention``, ``scale``, ``device``.
    """
    runs: dict[tuple[str, float, str, str], dict[int, Row]] = {}
    for row in rows:
        key = (str(row["noise"]), float(row["snr_db"]), str(row["method"]), str(row["scene"]))
        runs.setdefault(key, {})[int(row["seed"])] = row
    summary = []
    for (noise, snr_db, method, scene), mine in runs.items():
        errors = {seed: float(row["armse"]) for seed, row in mine.items()}
        base = {int(s): float(r["armse"]) for s, r in runs.get((noise, snr_db, CLOSED_FORM, scene), {}).items()}
        if np.isinf(snr_db) and base:  # the closed form of a clean image is the same for every seed
            base = dict.fromkeys(errors, base[min(base)])
        shared = errors.keys() & base.keys()
        divisor = float(np.mean([base[seed] for seed in shared])) if shared else 0.0
        over = float(np.mean([errors[seed] for seed in shared])) if shared else 0.0
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
                "closed": divisor if shared else None,
                "ratio": over / divisor if divisor > 0 else None,
                "missing": float(np.mean([int(row["missing"]) for row in mine.values()])),
                "seconds": float(np.mean([float(row["seconds"]) for row in mine.values()])),
                "convention": str(first["convention"]),
                "scale": str(first["scale"]),
                "device": str(first["device"]),
            }
        )
    return summary


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


def judge(summary: Sequence[Row]) -> list[Verdict]:
    """Hold methods against what a spatial method has to show.

    At 20 and 10 dB the geometric mean over the scenes of the ratio to the closed form is at most 0.55 and no ratio
    above 0.9; at 30 dB none above 1.02; without noise no error above 1.05 times the closed form's plus 0.002.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`, one kind of noise.

    Returns
    -------
    list of Verdict
        For the levels that were run; the closed form is not judged.
    """
    verdicts = []
    for method in dict.fromkeys(str(row["method"]) for row in summary if row["method"] != CLOSED_FORM):
        mine = [row for row in summary if row["method"] == method]
        for level in _NOISY:
            at = [row for row in mine if row["snr_db"] == level]
            if at:
                mean = geometric_mean([row["ratio"] for row in at])
                value = float("nan") if mean is None else mean
                verdicts.append(Verdict(method, f"{level:g} dB, geometric mean", value, _MEAN))
                verdicts.append(_worst(method, f"{level:g} dB, worst scene", at, _WORST))
        mild = [row for row in mine if row["snr_db"] == 30.0]
        if mild:
            verdicts.append(_worst(method, "30 dB, worst scene", mild, _MILD))
        clean = [row for row in mine if np.isinf(row["snr_db"])]
        if clean:
            limits = [_CLEAN * (row["closed"] or 0.0) + _CLEAN_EXTRA for row in clean]
            k = int(np.argmax([row["mean"] - limit for row, limit in zip(clean, limits, strict=True)]))
            verdicts.append(
                Verdict(method, "clean, worst scene, aRMSE", clean[k]["mean"], limits[k], clean[k]["scene"])
            )
    return verdicts


def _worst(method: str, requirement: str, rows: Sequence[Row], limit: float) -> Verdict:
    row = max(rows, key=lambda row: np.inf if row["ratio"] is None else row["ratio"])
    return Verdict(method, requirement, np.nan if row["ratio"] is None else row["ratio"], limit, str(row["scene"]))
