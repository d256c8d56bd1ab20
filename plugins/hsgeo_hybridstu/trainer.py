"""What ``hsgeo train hybridstu`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hsgeo.nn import Moment, TrainingResult, train
from hsgeo.plugin import ConfigError

__all__ = ["SIZES", "HybridStuTrainer"]

SIZES: dict[str, dict[str, Any]] = {
    "full": {"widths": [24, 40, 64, 96, 96], "volume_widths": [12, 24]},
    "small": {"widths": [16, 24, 32, 48], "volume_widths": [8, 12]},
}
"""Arguments of `hsgeo_hybridstu.network.HybridSTU` by name; the shipped weights are ``full``."""


class HybridStuTrainer:
    """Train the mode zero of ``hybridstu`` on synthetic scenes."""

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
        from hsgeo_hybridstu.learning import ZeroTask

        if size not in SIZES:
            raise ConfigError(f"size {size!r} of hybridstu", ", ".join(SIZES))
        return train(
            ZeroTask(seed=seed, config=SIZES[size]),
            out=out,
            budget=budget,
            device=device,
            seed=seed,
            precision=precision,
            threads=threads,
            resume=resume,
            command=command,
            progress=progress,
            learning_rate=1e-3,
            warmup=0.04,
            weight_decay=1e-4,
            ema=0.998,
            name="hybridstu-zero",
            storage="float16",
        )
