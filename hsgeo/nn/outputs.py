"""The files that a training leaves: weights, model card, curves."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from hsgeo._version import __version__
from hsgeo.nn.card import write_card
from hsgeo.nn.curve import draw_curve, write_table
from hsgeo.nn.record import Record
from hsgeo.nn.task import Task
from hsgeo.nn.weights import save_weights

__all__ = ["Outputs"]


@dataclass(frozen=True)
class Outputs:
    """Where the files of a training go, and what is said of it on the card.

    Parameters
    ----------
    folder : pathlib.Path
        Of all files.
    name : str
        Stem of weights and card.
    storage : {"float32", "float16"}
        How weights are stored.
    made : mapping
        ``seed``, ``device``, ``precision``, ``threads``, ``optimizer``, ``command`` and ``parameters`` for the card.
    """

    folder: Path
    name: str
    storage: Literal["float32", "float16"]
    made: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The weights."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """The model card, beside the weights."""
        return self.folder / f"{self.name}.md"

    @property
    def curve(self) -> Path:
        """The picture of the curves."""
        return self.folder / "curve.png"

    @property
    def checkpoint(self) -> Path:
        """What going on needs."""
        return self.folder / "checkpoint.safetensors"

    def write_weights(
        self, tensors: Mapping[str, Any], task: Task, record: Record, *, metrics: Mapping[str, float], finished: bool
    ) -> str:
        """Write weights and card; return the hash of the weights."""
        card = {
            "architecture": task.architecture,
            "config": dict(task.config),
            "data": dict(task.data),
            **self.made,
            "steps": record.step,
            "hours": round(record.seconds / 3600, 4),
            "skipped_steps": record.skipped,
            "metrics": dict(metrics),
            "versions": {
                "hsgeo": __version__,
                "torch": version("torch"),
                "numpy": version("numpy"),
                "python": platform.python_version(),
            },
            "finished": finished,
        }
        sha256 = save_weights(
            self.weights,
            tensors,
            architecture=task.architecture,
            config=dict(task.config),
            card=card,
            dtype=self.storage,
        )
        size = self.weights.stat().st_size
        write_card(self.card, card, weights=self.weights.name, sha256=sha256, size=size)
        return sha256

    def write_curves(self, record: Record) -> None:
        """Write both tables and the picture."""
        write_table(self.folder / "loss.csv", record.losses)
        write_table(self.folder / "validation.csv", record.scores)
        draw_curve(self.curve, record.losses, record.scores)
