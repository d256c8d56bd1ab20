"""Rows to figures: coverage over all runs, by level and by scene, and whether intervals keep what they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hsgeo.evaluation.noise.methods import CLOSED_FORM
from hsgeo.evaluation.uncertainty.scenes import TRUTHS
from hsgeo.evaluation.uncertainty.tally import pooled

__all__ = ["LIMITS", "Verdict", "judge", "summarise"]

LIMITS = (0.87, 0.93)
"""Between these, 90 % intervals are honest: of true abundances above 0.02 and below 0.98 in the closed form."""

Row = Mapping[str, Any]


class Verdict(NamedTuple):
    """What the 90 % intervals of a method cover.

    Parameters
    ----------
    method : str
        Who.
    requirement : str
        In words.
    value : float
        Share covered, 0 to 1.
    """

    method: str
    requirement: str
    value: float

    @property
    def passed(self) -> bool:
        """Whether the share lies within `LIMITS`."""
        return bool(LIMITS[0] <= self.value <= LIMITS[1])


def summarise(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Put runs together by method and truth: all of them, by noise level, and by scene.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the CSV, numbers as text or not.

    Returns
    -------
    list of dict
        ``method``, ``truth``, ``snr_db`` (None: all levels), ``scene`` (None: all scenes), ``runs``, mean ``seconds``,
        and what `hsgeo.evaluation.uncertainty.tally.pooled` returns.
    """
    held = list(rows)
    levels = sorted({float(row["snr_db"]) for row in held})
    scenes = list(dict.fromkeys(str(row["scene"]) for row in held))
    summary = []
    for method in dict.fromkeys(str(row["method"]) for row in held):
        for truth in TRUTHS:
            mine = [row for row in held if row["method"] == method and row["truth"] == truth]
            for snr_db, scene in [(None, None), *((v, None) for v in levels), *((None, name) for name in scenes)]:
                some = [
                    row
                    for row in mine
                    if (snr_db is None or float(row["snr_db"]) == snr_db) and scene in (None, row["scene"])
                ]
                if some:
                    seconds = sum(float(row["seconds"]) for row in some) / len(some)
                    about = {"method": method, "truth": truth, "snr_db": snr_db, "scene": scene}
                    summary.append(about | {"runs": len(some), "seconds": seconds} | pooled(some))
    return summary


def judge(summary: Sequence[Row]) -> list[Verdict]:
    """Hold the 90 % intervals of methods against `LIMITS`: over all levels, and at each.

    Parameters
    ----------
    summary : sequence of mapping
        From `summarise`.

    Returns
    -------
    list of Verdict
        The closed form is not judged.
    """
    return [
        Verdict(
            str(row["method"]),
            "all levels" if row["snr_db"] is None else f"{row['snr_db']:g} dB",
            float("nan") if row["inside_cover_0.9"] is None else float(row["inside_cover_0.9"]),
        )
        for row in summary
        if row["method"] != CLOSED_FORM and row["truth"] == TRUTHS[0] and row["scene"] is None
    ]
