"""The record of a training: how far it is, its losses and its scores; plain JSON types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Record"]


@dataclass
class Record:
    """What a checkpoint keeps besides tensors.

    Parameters
    ----------
    step : int
        Steps done, skipped ones included.
    seconds : float
        Time spent, over all runs.
    skipped : int
        Steps without a finite gradient.
    losses, scores : list of dict
        Rows of the loss curve and of the validations; None for what was not finite.
    count : int
        Steps since the last row of the loss curve.
    sums : dict of str to float
        Loss and its terms, summed over them.
    """

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    losses: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add_step(self, loss: float | None, terms: Mapping[str, float], *, seconds: float) -> None:
        """Count a step; a loss of None: it was skipped."""
        self.step += 1
        self.seconds = seconds
        if loss is None:
            self.skipped += 1
            return
        self.count += 1
        for key, value in {"loss": loss, **terms}.items():
            self.sums[key] = self.sums.get(key, 0.0) + value

    def end_row(self, rate: float) -> None:
        """Add the means since the last row to the loss curve."""
        row = {"step": self.step, "seconds": self.seconds, "learning_rate": rate, "loss": None}
        self.losses.append(row | {key: value / self.count for key, value in self.sums.items()})
        self.count, self.sums = 0, {}

    def add_score(self, metrics: Mapping[str, float], *, seconds: float) -> bool:
        """Add a validation; tell whether it is the best so far."""
        self.seconds = seconds
        before = self.best
        row: dict[str, Any] = {"step": self.step, "seconds": seconds}
        self.scores.append(row | {key: value if math.isfinite(value) else None for key, value in metrics.items()})
        return self.best is not before

    @property
    def best(self) -> dict[str, Any] | None:
        """The row with the lowest score, the first of equals; None when no score is finite."""
        finite = [row for row in self.scores if row["score"] is not None]
        return min(finite, key=lambda row: row["score"]) if finite else None

    @property
    def last_score(self) -> float:
        """The score of the last validation, or NaN."""
        score = self.scores[-1]["score"]
        return math.nan if score is None else float(score)

    @property
    def first_score(self) -> float:
        """The score before the first step, or NaN."""
        score = self.scores[0]["score"]
        return math.nan if score is None else float(score)
