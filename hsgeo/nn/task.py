"""What a training is told and what it tells: the task, where it stands, what it left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["Moment", "Task", "TrainingResult", "step_rng"]


class Task(Protocol):
    """What is trained: a network, its data and its loss. The loop knows nothing else about it."""

    @property
    def architecture(self) -> str:
        """Name and version, such as ``"hybridstu-zero/1"``; a new version where old weights do not fit."""

    @property
    def config(self) -> Mapping[str, Any]:
        """What rebuilds the module, plain JSON types; stored with the weights."""

    @property
    def data(self) -> Mapping[str, Any]:
        """What the training data are made of, plain JSON types; stands on the model card."""

    def build(self) -> torch.nn.Module:
        """Make the module on the CPU, with random numbers from torch's global generator, which is seeded."""

    def batch(self, step: int, device: str) -> Any:
        """Make the batch of a step, the same whenever it is asked: random numbers from `step_rng`, never global ones.

        Runs in a thread of its own, ahead of time. Tensors may stay on the CPU: the loop moves those of dicts, lists
        and tuples.
        """

    def loss(self, module: torch.nn.Module, batch: Any) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Return the loss, a scalar, and its terms by name for the curve. Called under autocast."""

    def validate(self, module: torch.nn.Module) -> Mapping[str, float]:
        """Measure on scenes that never change; ``"score"`` is the one that counts, lower is better.

        Called without gradients, in float32, with the module in ``eval`` mode on the device of training.
        """


@dataclass(frozen=True)
class Moment:
    """Where a training stands, for progress bars.

    Parameters
    ----------
    fraction : float
        Share of the budget that is spent, 0 to 1.
    step : int
        Steps done.
    seconds : float
        Time spent, over all runs.
    loss : float
        Loss of the last step; NaN if it was skipped.
    score : float
        Last validation score.
    """

    fraction: float
    step: int
    seconds: float
    loss: float
    score: float


@dataclass(frozen=True)
class TrainingResult:
    """What a training left.

    Parameters
    ----------
    architecture : str
        Of the weights.
    weights, card, curve, folder : pathlib.Path
        Weights (safetensors), model card (Markdown), curve (PNG), and the folder of all files.
    sha256 : str
        Hash of the weights.
    parameters, steps, skipped_steps : int
        Values in the network; steps done; steps that were skipped as their gradient was not finite.
    seconds : float
        Time spent, over all runs.
    device, precision : str
        What it was trained on and in.
    first_score, score : float
        Validation score before the first step, and of the weights.
    metrics : dict of str to float
        What the weights file reaches in validation.
    """

    architecture: str
    weights: Path
    card: Path
    curve: Path
    folder: Path
    sha256: str
    parameters: int
    steps: int
    skipped_steps: int
    seconds: float
    device: str
    precision: str
    first_score: float
    score: float
    metrics: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; None for what is not finite."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        return {key: None if isinstance(value, float) and value != value else value for key, value in plain.items()}


def step_rng(seed: int, step: int, *key: int) -> np.random.Generator:
    """Return the generator of a step, whatever was drawn before it.

    Parameters
    ----------
    seed : int
        Seed of the training.
    step : int
        The step; negative for validation scenes.
    *key : int
        Which use, where a step has several.

    Returns
    -------
    numpy.random.Generator
        Its own stream.
    """
    return np.random.default_rng([seed, 2 * step if step >= 0 else -2 * step - 1, *key])
