"""What methods have to show in the noise benchmark, as data: who, over what, where, how much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hsgeo.evaluation.noise.methods import CLOSED_FORM, TOLD

__all__ = ["BASES", "REQUIREMENTS", "SELF_TUNED", "TV", "Requirement"]

TV = "tv*"
SELF_TUNED = "vector-tv"
BASES = (CLOSED_FORM, TV, SELF_TUNED)
"""Methods that others are divided by, where they were run."""

_INF = float("inf")
_BENCHMARK = ("real", "cartoon", "other")
_ALL = (*_BENCHMARK, "procedural", "wide")

_PRIOR = r"(^|\+)abundance-diffusion(?![\w-])"
_SHIPPED = (
    rf"{_PRIOR}(?!\[[^\]]*choose=(?!blend))"  # the stage with its own choice among network, vector-tv and pixelwise
)
_NETWORK = rf"{_PRIOR}\[[^\]]*choose=network\b"
_OTHERS = rf"^(?!.*{_PRIOR})(?!({'|'.join(map(re.escape, TOLD))})$)"  # every other product


@dataclass(frozen=True)
class Requirement:
    """One thing to show.

    Parameters
    ----------
    who : str
        Regular expression that is found in the names of the methods it is asked of.
    base : str
        Of `BASES`: errors are divided by this one's.
    low, high : float
        Noise levels that count, dB, both included; where several were run, ratios are averaged over them.
    groups : tuple of str
        Scenes that count, as `hsgeo.evaluation.noise.scenes.group_of` calls them.
    how : {"mean", "geometric mean", "worst scene", "worst case", "harm"}
        Mean over the scenes; largest of them; largest at any single level; largest error itself, whose limit is
        ``limit`` times that of the base plus ``extra``.
    limit : float
        What the value has to be at most.
    extra : float
        Allowance in aRMSE, of ``"harm"``.
    """

    who: str
    base: str
    low: float
    high: float
    groups: tuple[str, ...]
    how: Literal["mean", "geometric mean", "worst scene", "worst case", "harm"]
    limit: float
    extra: float = 0.0

    def asked_of(self, method: str) -> bool:
        """Tell whether a method has to show it.

        Parameters
        ----------
        method : str
            Its name.

        Returns
        -------
        bool
            Never of the closed form, nor of the base itself.
        """
        return method not in (CLOSED_FORM, self.base) and re.search(self.who, method) is not None

    def says(self, levels: tuple[float, ...]) -> str:
        """Put it in words.

        Parameters
        ----------
        levels : tuple of float
            Those that were run, dB.

        Returns
        -------
        str
            Levels, what is divided by what, over which scenes.
        """
        noise = ", ".join("clean" if np.isinf(level) else f"{level:g}" for level in sorted(levels, reverse=True))
        unit = " dB" if any(np.isfinite(level) for level in levels) else ""
        scenes = "" if self.groups in (_BENCHMARK, _ALL) else f" ({' and '.join(self.groups)})"
        measure = f"aRMSE beside {self.base}" if self.how == "harm" else f"over {self.base}"
        how = "worst case" if self.how == "harm" else self.how
        return f"{noise}{unit}, {measure}, {how}{scenes}"


REQUIREMENTS = (
    # a spatial method: half the error under noise, no harm without
    Requirement(_OTHERS, CLOSED_FORM, 20, 20, _BENCHMARK, "geometric mean", 0.55),
    Requirement(_OTHERS, CLOSED_FORM, 20, 20, _BENCHMARK, "worst scene", 0.9),
    Requirement(_OTHERS, CLOSED_FORM, 10, 10, _BENCHMARK, "geometric mean", 0.55),
    Requirement(_OTHERS, CLOSED_FORM, 10, 10, _BENCHMARK, "worst scene", 0.9),
    Requirement(_OTHERS, CLOSED_FORM, 30, 30, _BENCHMARK, "worst scene", 1.02),
    Requirement(_OTHERS, CLOSED_FORM, _INF, _INF, _BENCHMARK, "harm", 1.05, 2e-3),
    # a learned prior: better than total variation that is told the truth, and no harm where there is nothing to gain
    Requirement(_SHIPPED, TV, 10, 20, _BENCHMARK, "mean", 0.87),
    Requirement(_SHIPPED, TV, 10, 20, _BENCHMARK, "worst scene", 1.0),
    Requirement(_SHIPPED, TV, 10, 20, _BENCHMARK, "worst case", 1.0),
    Requirement(_SHIPPED, TV, 10, 20, ("procedural",), "mean", 0.82),
    Requirement(_NETWORK, SELF_TUNED, 10, 20, ("real",), "mean", 0.90),
    Requirement(_SHIPPED, SELF_TUNED, 10, 20, ("cartoon",), "worst scene", 1.02),
    Requirement(_SHIPPED, CLOSED_FORM, 30, _INF, _ALL, "harm", 1.02, 1e-4),
)
"""Under white noise; other kinds are shown as they come out."""
