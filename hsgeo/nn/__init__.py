"""Networks: weights on disk that cannot run code, one training loop for all of them, and their model cards.

torch and safetensors are loaded by the functions that need them, never by importing this package.
"""

from hsgeo.nn.budget import Budget
from hsgeo.nn.card import write_card
from hsgeo.nn.task import Moment, Task, TrainingResult, step_rng
from hsgeo.nn.training import train
from hsgeo.nn.weights import Weights, fill, load_weights, save_weights

__all__ = [
    "Budget",
    "Moment",
    "Task",
    "TrainingResult",
    "Weights",
    "fill",
    "load_weights",
    "save_weights",
    "step_rng",
    "train",
    "write_card",
]
