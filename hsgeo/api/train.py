"""The verb behind ``hsgeo train``: train the network of a stage, or adapt it to a scene."""

from __future__ import annotations

import difflib
import inspect
import shlex
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsgeo.errors import ConfigError, HsgeoWarning, PluginError
from hsgeo.nn.budget import Budget
from hsgeo.nn.task import Moment, TrainingResult
from hsgeo.plugin.records import StageRecord
from hsgeo.plugin.registry import Registry, registry

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["train", "users_of_weights"]


def _warn(text: str) -> None:
    warnings.warn(text, HsgeoWarning, stacklevel=3)


def train(
    name: str,
    *,
    out: str | Path,
    finetune: str | Path | xr.Dataset | None = None,
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
    name : str
        Name of the weights, such as ``"abundance-prior"``, or of the stage that uses them.
    out : str or pathlib.Path
        Folder of the files.
    finetune : str, pathlib.Path or xarray.Dataset, optional
        Start from the shipped weights and adapt them to this scene, which needs no labels.
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
        If the name does not exist, is taken twice or has nothing to train, its trainer cannot fine-tune, or an argument
        is not acceptable.
    SceneError
        If the scene cannot be read, or too little of it is valid.
    """
    reg = registry(plugins)
    record = _trained(name, reg)
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
    words = ["hsgeo", "train", name, "--out", str(out)]
    words += ["--finetune", "SCENE"] if finetune is not None else []  # what it is stands on the card; where, nowhere
    words += [word for key, value in given.items() for word in (f"--{key}", str(value))]
    words += ["--threads", str(threads)] if threads is not None else []
    words += [word for path in plugins for word in ("--plugin", str(path))]
    trainer = reg.load(record, "trainer")()
    if finetune is not None:
        if "finetune" not in inspect.signature(trainer.train).parameters:
            raise ConfigError(
                f"{record.trains or record.name} cannot be fine-tuned",
                "weights whose trainer takes a scene, such as abundance-prior",
                "Leave the scene out",
            )
        from hsgeo.api.finetune import unmixed_patches

        given["finetune"] = unmixed_patches(finetune, notice=_warn)
    result = trainer.train(
        **given, out=Path(out), threads=threads, resume=resume, command=shlex.join(words), progress=progress
    )
    if not isinstance(result, TrainingResult):
        raise PluginError(
            f"the trainer of stage {record.name!r} returned a {type(result).__name__}", "what `hsgeo.nn.train` returns"
        )
    return result


def users_of_weights(name: str) -> tuple[str, str]:
    """Tell who uses what `train` has made, for a hint to the user.

    Parameters
    ----------
    name : str
        As given to `train`.

    Returns
    -------
    recipe, stage : str
        The stage, and a recipe that has it: the one of the same name, or the first; ``RECIPE`` if none has.
    """
    from hsgeo.stages.recipe import load_recipe, recipe_files

    reg = registry()
    stage = _trained(name, reg).name
    users = (recipe for recipe in recipe_files(reg) if stage in [use.use for use in load_recipe(recipe, reg).stages])
    return min(users, key=lambda recipe: (recipe != stage, recipe), default="RECIPE"), stage


def _trained(name: str, reg: Registry) -> StageRecord:
    """Find the stage whose network is meant by the name of weights or of a stage."""
    able = {stage: record for stage, record in reg.stages.items() if record.trainer is not None}
    mine = [record for stage, record in able.items() if name in (stage, record.trains)]
    if len({record.trainer for record in mine}) > 1:
        raise PluginError(
            f"{name!r} is what the trainers of {' and of '.join(f'stage {record.name!r}' for record in mine)} make",
            "one trainer of a name",
            f"Use the name of a stage that is not {name!r}, or uninstall a plugin",
        )
    if mine:
        return mine[0]
    names = {word: None for record in able.values() for word in (record.trains, record.name) if word}
    accepted = ", ".join(
        stage if record.trains is None else f"{record.trains} (of {stage})" for stage, record in able.items()
    )
    close = difflib.get_close_matches(name, names, n=1)
    if name not in reg.stages and (not close or f"stage {name!r}" in reg.clashes):
        reg.stage(name)  # raises, and knows of broken and disabled plugins
    raise ConfigError(
        f"stage {name!r} has nothing to train" if name in reg.stages else f"there is nothing called {name!r} to train",
        accepted or "a stage with a network; none is installed",
        f"Did you mean {close[0]!r}?" if close else "See `hsgeo list stages`",
    )
