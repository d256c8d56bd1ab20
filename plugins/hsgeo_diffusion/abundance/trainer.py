"""What ``hsgeo train abundance-prior`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hsgeo.nn import Moment, TrainingResult, train
from hsgeo.plugin import ConfigError, shipped_weights

__all__ = ["SIZES", "AbundancePriorTrainer"]

SIZES: dict[str, dict[str, Any]] = {
    "full": {"widths": [24, 40, 64, 96, 96], "volume_widths": [12, 24]},
    "small": {"widths": [16, 24, 32, 48], "volume_widths": [8, 12]},
}
"""Arguments of `hsgeo_diffusion.abundance.network.ResUNet2D` by name; the shipped weights are ``full``."""

_START = "hybridstu-zero"  # an hour of training that need not be repeated
_FIRST = "hybridstu"  # whose maps the network meets as first guesses: the stage before it in the recipe semi-blind


class AbundancePriorTrainer:
    """Train the prior of ``abundance-diffusion`` on synthetic scenes."""

    def train(
        self,
        *,
        out: Path,
        budget: str,
        device: str,
        seed: int,
        size: str,
        precision: str,
        threads: int | None,
        resume: bool,
        command: str,
        progress: Callable[[Moment], None],
    ) -> TrainingResult:
        """Train within a budget (`hsgeo.nn.train`), and leave weights and model card in ``out``.

        Raises
        ------
        ConfigError
            There is no such size.
        """
        from hsgeo_diffusion.abundance.first import FirstGuess
        from hsgeo_diffusion.abundance.learning import AbundanceTask

        if size not in SIZES:
            raise ConfigError(f"size {size!r} of abundance-prior", ", ".join(SIZES))
        # the small network has other widths, and starts from nothing
        start = shipped_weights(_START) if size == "full" else None
        return train(
            AbundanceTask(seed=seed, first=FirstGuess(_FIRST), start=start, config=SIZES[size]),
            out=out,
            budget=budget,
            device=device,
            seed=seed,
            precision=precision,
            threads=threads,
            resume=resume,
            command=command,
            progress=progress,
            learning_rate=6e-4,
            warmup=0.04,
            weight_decay=1e-4,
            ema=0.998,
            name="abundance-prior",
            storage="float16",
        )
