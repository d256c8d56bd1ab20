"""How long a training lasts, in time or in steps, and what that makes of the learning rate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hsgeo.errors import ConfigError

__all__ = ["Budget", "learning_rate_at"]

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FIRST = 0.05  # share of the peak in the very first step: a rate of zero would waste it


@dataclass(frozen=True)
class Budget:
    """How long a training lasts.

    Parameters
    ----------
    steps : int, optional
        Number of steps; None: the time decides.
    seconds : float, optional
        Seconds of training and validation together; None: the steps decide.
    """

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"2000steps"``, ``"90s"``, ``"30min"`` or ``"2h"``.

        Parameters
        ----------
        text : str
            Number and unit.

        Returns
        -------
        Budget
            In steps or in seconds.

        Raises
        ------
        ConfigError
            If it is something else, or nothing at all.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(steps?|s|min|h)\s*", str(text))
        if found:
            number, unit = float(found[1]), found[2]
            if unit in _UNITS and number > 0:
                return cls(seconds=number * _UNITS[unit])
            if unit not in _UNITS and number >= 1 and number.is_integer():
                return cls(steps=int(number))
        raise ConfigError(f"the budget is {text!r}", "2000steps, 90s, 30min or 2h", "Write number and unit together")

    def fraction(self, *, step: int, seconds: float) -> float:
        """Return the share of the budget that is spent, 0 to 1.

        Parameters
        ----------
        step : int
            Steps done.
        seconds : float
            Time spent, over all runs.

        Returns
        -------
        float
            1 when the training is over.
        """
        spent = step / self.steps if self.steps is not None else seconds / (self.seconds or math.inf)
        return min(1.0, spent)


def learning_rate_at(fraction: float, *, peak: float, warmup: float) -> float:
    """Return the learning rate: a linear rise, then half a cosine down to zero (Loshchilov and Hutter 2017, eq. 5).

    Parameters
    ----------
    fraction : float
        Share of the budget that is spent.
    peak : float
        Highest rate.
    warmup : float
        Share of the budget in which it is reached.

    Returns
    -------
    float
        Learning rate.
    """
    if fraction < warmup:
        return peak * max(_FIRST, fraction / warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))
