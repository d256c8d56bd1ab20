"""Whether a refined recipe is better than the network alone under noise, and no worse than the plain one without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hsgeo.evaluation.noise.verdict import Verdict, geometric_mean, level_name

__all__ = ["ALONE", "MEASURES", "PLAIN", "REFINED", "judge", "ratio"]

Row = Mapping[str, Any]

PLAIN, ALONE, REFINED = "classical", "hybridstu", "semi-blind"
"""The recipes that are compared: no network, the network alone, everything."""

MEASURES = {"mean": "aRMSE", "msad_rad": "mSAD"}
"""What counts, by its name in the rows of `hsgeo.evaluation.accuracy.table.summarise_rows`."""

_NOISY = 20.0  # dB, and below: where refinement has to pay
_BETTER = float(np.nextafter(1.0, 0.0))  # the same is not better
_CLEAN, _CLEAN_EXTRA = 1.03, 1e-3  # without noise nothing can be gained; the allowance is what seeds move


def ratio(rows: Sequence[Row], measure: str, *, of: str, to: str) -> float | None:
    """Divide the mean of a recipe by that of another, on one scene at one level.

    Parameters
    ----------
    rows : sequence of mapping
        From `summarise_rows`, of the scene and level.
    measure : str
        Of `MEASURES`.
    of, to : str
        Recipes.

    Returns
    -------
    float or None
        The ratio; None where one of them was not run or not measured, or the divisor is 0.
    """
    held = {row["recipe"]: row[measure] for row in rows}
    return held[of] / held[to] if held.get(of) is not None and held.get(to) else None


def judge(summary: Sequence[Row]) -> list[Verdict]:
    """Hold `REFINED` against `ALONE` at 20 dB and below, and against `PLAIN` without noise.

    Under noise the geometric mean over the scenes of the ratios is below 1, level by level; without noise no scene's
    value is above 1.03 times the plain one plus 0.001. Both for aRMSE and for mSAD, rad.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise_rows`.

    Returns
    -------
    list of Verdict
        For the levels that were run; empty without the refined recipe.
    """
    verdicts = []
    for level in sorted({float(row["snr_db"]) for row in summary}, reverse=True):
        here = [row for row in summary if float(row["snr_db"]) == level]
        scenes = {
            scene: [row for row in here if row["scene"] == scene] for scene in dict.fromkeys(r["scene"] for r in here)
        }
        if not any(row["recipe"] == REFINED for row in here):
            continue
        for measure, name in MEASURES.items():
            if level <= _NOISY:
                mean = geometric_mean([ratio(rows, measure, of=REFINED, to=ALONE) for rows in scenes.values()])
                says = f"{level_name(level)}, {name} over {ALONE}, geometric mean"
                value = float("nan") if mean is None else mean
                verdicts.append(Verdict(REFINED, says, value, _BETTER, f"{len(scenes)} scenes"))
            elif np.isinf(level):
                verdicts.append(_harm(scenes, measure, name))
    return verdicts


def _harm(scenes: Mapping[str, Sequence[Row]], measure: str, name: str) -> Verdict:
    def value_of(scene: str, recipe: str) -> float:
        found = next((row[measure] for row in scenes[scene] if row["recipe"] == recipe), None)
        return float("nan") if found is None else float(found)

    excess = {}
    for scene in scenes:
        limit = _CLEAN * value_of(scene, PLAIN) + _CLEAN_EXTRA
        apart = value_of(scene, REFINED) - limit
        excess[scene] = np.inf if np.isnan(apart) else apart, limit
    worst = max(excess, key=lambda scene: excess[scene][0])
    return Verdict(
        REFINED, f"clean, {name} beside {PLAIN}, worst scene", value_of(worst, REFINED), excess[worst][1], worst
    )
