"""What ``hsgeo train endmember-prior`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hsgeo.nn import Moment, TrainingResult, train
from hsgeo.plugin import ConfigError

__all__ = ["SIZES", "EndmemberTrainer"]

SIZES: dict[str, dict[str, Any]] = {
    "full": {"widths": [24, 48, 96], "kernel": 5},
    "small": {"widths": [16, 24, 32], "kernel": 5},
}
"""Arguments of `hsgeo_diffusion.endmember.network.SpectrumDenoiser` by name; the shipped weights are ``full``."""


class EndmemberTrainer:
    """Train the prior of endmember spectra on procedural ones."""

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
        from hsgeo_diffusion.endmember.learning import EndmemberTask

        if size not in SIZES:
            raise ConfigError(f"size {size!r} of endmember-prior", ", ".join(SIZES))
        return train(
            EndmemberTask(seed=seed, config=SIZES[size]),
            out=out,
            budget=budget,
            device=device,
            seed=seed,
            precision=precision,
            threads=threads,
            resume=resume,
            command=command,
            progress=progress,
            learning_rate=2e-3,
            warmup=0.04,
            weight_decay=1e-4,
            ema=0.998,
            name="endmember-prior",
            storage="float16",
        )
