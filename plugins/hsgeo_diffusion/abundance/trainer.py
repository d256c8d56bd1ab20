"""What ``hsgeo train abundance-prior`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsgeo.nn import Moment, TrainingResult, train
from hsgeo.plugin import ConfigError, shipped_weights

if TYPE_CHECKING:
    import xarray as xr

    from hsgeo_diffusion.abundance.learning import AbundanceTask

__all__ = ["SIZES", "AbundancePriorTrainer"]

SIZES: dict[str, dict[str, Any]] = {
    "full": {"widths": [24, 40, 64, 96, 96], "volume_widths": [12, 24]},
    "small": {"widths": [16, 24, 32, 48], "volume_widths": [8, 12]},
}
"""Arguments of `hsgeo_diffusion.abundance.network.ResUNet2D` by name; the shipped weights are ``full``."""

_NAME = "abundance-prior"
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
        finetune: xr.Dataset | None = None,
    ) -> TrainingResult:
        """Train, or adapt the shipped weights to a scene (`hsgeo.nn.train`), and leave weights and card in ``out``.

        Raises
        ------
        ConfigError
            There is no such size, or none of the shipped weights.
        """
        if size not in SIZES:
            raise ConfigError(f"size {size!r} of abundance-prior", ", ".join(SIZES))
        task, settings = _task(seed, size) if finetune is None else _adapting(finetune, seed, size)
        return train(
            task,
            out=out,
            budget=budget,
            device=device,
            seed=seed,
            precision=precision,
            threads=threads,
            resume=resume,
            command=command,
            progress=progress,
            warmup=0.04,
            weight_decay=1e-4,
            name=_NAME,
            storage="float16",
            **settings,
        )


def _task(seed: int, size: str) -> tuple[AbundanceTask, dict[str, float]]:
    from hsgeo_diffusion.abundance.first import FirstGuess
    from hsgeo_diffusion.abundance.learning import AbundanceTask

    # the small network has other widths, and starts from nothing
    start = shipped_weights(_START) if size == "full" else None
    task = AbundanceTask(seed=seed, first=FirstGuess(_FIRST), start=start, config=SIZES[size])
    return task, {"learning_rate": 6e-4, "ema": 0.998}


def _adapting(scene: xr.Dataset, seed: int, size: str) -> tuple[AbundanceTask, dict[str, float]]:
    from hsgeo_diffusion.abundance.finetune import SceneTask
    from hsgeo_diffusion.abundance.first import FirstGuess

    if size != "full":
        raise ConfigError(
            f"size {size!r} together with a scene to fine-tune on", "'full', as the shipped weights are", "Leave it out"
        )
    task = SceneTask(scene, weights=shipped_weights(_NAME), seed=seed, first=FirstGuess(_FIRST))
    # a sixth of the rate that trained the weights: they shall move, not begin again; fewer steps, a shorter average
    return task, {"learning_rate": 1e-4, "ema": 0.99}
