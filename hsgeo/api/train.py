"""The verb behind ``hsgeo train``: train the network of a stage."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError, PluginError
from hsgeo.nn.budget import Budget
from hsgeo.nn.task import Moment, TrainingResult
from hsgeo.plugin.registry import registry

__all__ = ["train"]


def train(
    stage: str,
    *,
    out: str | Path,
    budget: str = "30min",
    device: str = "auto",
    seed: int = 0,
    size: str = "full",
    precision: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    plugins: Sequence[str | Path] = (),
    progress: Callable[[Moment], None] = lambda moment: None,
) -> TrainingResult:
    """Train the network of a stage, and leave weights, model card, loss curve and checkpoint in a folder.

    Parameters
    ----------
    stage : str
        Name of a stage that has a trainer.
    out : str or pathlib.Path
        Folder of the files.
    budget : str
        ``"2000steps"``, ``"90s"``, ``"30min"`` or ``"2h"``.
    device : {"auto", "cpu", "cuda"}
        Where; auto: CUDA where there is one.
    seed : int
        Of everything random.
    size : {"full", "small"}
        Small: a smaller network, quick on a CPU.
    precision : {"auto", "float32", "bfloat16"}
        Of the products; auto: bfloat16 where the device has instructions for it.
    threads : int, optional
        Threads of torch; None: as torch chooses.
    resume : bool
        Go on with the checkpoint in ``out``. False: a folder with one is refused.
    plugins : sequence of path
        One-file plugins to load.
    progress : callable
        Called with a `Moment` after every step.

    Returns
    -------
    TrainingResult
        Files and figures.

    Raises
    ------
    ConfigError, PluginError
        If the stage does not exist or has nothing to train, or an argument is not acceptable.
    """
    reg = registry(plugins)
    record = reg.stage(stage)
    if record.trainer is None:
        able = [name for name, other in reg.stages.items() if other.trainer is not None]
        raise ConfigError(
            f"stage {stage!r} has nothing to train",
            ", ".join(able) or "a stage with a network; none is installed",
            "See `hsgeo list stages`",
        )
    Budget.parse(budget)  # before torch is loaded
    if size not in ("small", "full"):
        raise ConfigError(f"the size is {size!r}", "'small' or 'full'")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}", "0 or more")
    if find_spec("torch") is None:
        raise ConfigError(
            "training needs torch, which is not installed",
            "torch 2.6 or later, which comes with hsgeo unless it was left out",
            "Run pip install torch",
        )
    given: dict[str, Any] = {"budget": budget, "device": device, "seed": seed, "size": size, "precision": precision}
    words = ["hsgeo", "train", stage, "--out", str(out)]
    words += [word for key, value in given.items() for word in (f"--{key}", str(value))]
    words += ["--threads", str(threads)] if threads is not None else []
    words += [word for path in plugins for word in ("--plugin", str(path))]
    result = reg.load(record, "trainer")().train(
        **given, out=Path(out), threads=threads, resume=resume, command=shlex.join(words), progress=progress
    )
    if not isinstance(result, TrainingResult):
        raise PluginError(
            f"the trainer of stage {stage!r} returned a {type(result).__name__}", "what `hsgeo.nn.train` returns"
        )
    return result
