"""The training loop that all networks of hsgeo share: budget, moving average, checkpoints, validation, model card."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.nn.ahead import Ahead
from hsgeo.nn.budget import Budget, learning_rate_at
from hsgeo.nn.checkpoint import adam_state, load_checkpoint, named_state, restore, save_checkpoint
from hsgeo.nn.device import choose_device, choose_precision, device_name, faster_layout, moved, own_random_state
from hsgeo.nn.outputs import Outputs
from hsgeo.nn.record import Record
from hsgeo.nn.task import Moment, Task, TrainingResult
from hsgeo.nn.weights import fill, load_weights

__all__ = ["train"]

_ROWS = 500  # of the loss curve: as many as a picture shows
_BAD_IN_A_ROW = 20  # steps without a finite gradient: a network that has diverged does not come back
_AVERAGE_FROM = 10  # the moving average follows freely in the first steps, so that it forgets the random start


def train(
    task: Task,
    *,
    out: str | Path,
    budget: str = "30min",
    device: str = "auto",
    seed: int = 0,
    precision: str = "auto",
    learning_rate: float = 1e-3,
    warmup: float = 0.02,
    weight_decay: float = 1e-2,
    clip: float = 1.0,
    ema: float = 0.999,
    validate_every: float = 0.05,
    checkpoint_every: float = 120.0,
    threads: int | None = None,
    resume: bool = True,
    name: str = "weights",
    storage: Literal["float32", "float16"] = "float32",
    command: str = "",
    progress: Callable[[Moment], None] = lambda moment: None,
) -> TrainingResult:
    """Train a network within a budget, and leave weights, model card, curve and checkpoint in a folder.

    AdamW with a cosine schedule over the budget and gradient clipping. An exponential moving average of the weights is
    what is validated and kept; the best of it is what is written. With a budget in steps on one thread of a CPU, a run
    that was killed and resumed gives the weights of one that was not, bit for bit.

    Parameters
    ----------
    task : Task
        Network, data and loss.
    out : str or pathlib.Path
        Folder of the files.
    budget : str
        ``"2000steps"``, ``"90s"``, ``"30min"`` or ``"2h"``; time counts validation, and runs that were resumed, too.
    device : {"auto", "cpu", "cuda"}
        Where.
    seed : int
        Of the start and of dropout; the task's batches have their own.
    precision : {"auto", "float32", "bfloat16"}
        Of the products, under autocast; auto: bfloat16 where the device has instructions for it.
    learning_rate : float
        Highest.
    warmup : float
        Share of the budget in which it is reached, below 1.
    weight_decay : float
        Of weights, not of biases and scales.
    clip : float
        Longest gradient.
    ema : float
        Decay of the moving average per step.
    validate_every : float
        Share of the budget between validations; one comes before the first step and one after the last.
    checkpoint_every : float
        Seconds between checkpoints.
    threads : int, optional
        Threads of torch; None: as they are.
    resume : bool
        Go on with the checkpoint in ``out``, if there is one. False: such a folder is refused.
    name : str
        Stem of the weights and of the card.
    storage : {"float32", "float16"}
        How the weights are stored.
    command : str
        What repeats the training, for the card.
    progress : callable
        Called with a `Moment` after every step.

    Returns
    -------
    TrainingResult
        Files and figures.

    Raises
    ------
    ConfigError
        If an argument is not acceptable, the folder holds another training, the loss or the score stays not finite, or
        a file cannot be written.
    """
    folder = Path(out)
    parsed = Budget.parse(budget)
    for label, value, good, accepted in (
        ("learning_rate", learning_rate, learning_rate > 0, "a number above 0"),
        ("warmup", warmup, 0 <= warmup < 1, "a share of the budget, 0 to below 1"),
        ("ema", ema, 0 <= ema < 1, "a decay per step, 0 to below 1"),
        ("clip", clip, clip > 0, "a number above 0"),
        ("validate_every", validate_every, 0 < validate_every <= 1, "a share of the budget, above 0 to 1"),
        ("seed", seed, seed >= 0, "0 or more"),
    ):
        if not good:
            raise ConfigError(f"{label} is {value}", accepted)
    where = choose_device(device)
    chosen = choose_precision(precision, device=where)
    settings = {
        "learning_rate": learning_rate, "warmup": warmup, "weight_decay": weight_decay, "clip": clip, "ema": ema,
    }  # fmt: skip
    _make_folder(folder)
    with own_random_state(where, threads):
        run = _Run(task, parsed, device=where, precision=chosen, seed=seed, settings=settings)
        said = {"device": device_name(where), "precision": chosen, "threads": _threads(), "command": command}
        said |= {"seed": seed, "optimizer": {"name": "AdamW, cosine", **settings}, "parameters": run.count}
        run.files = Outputs(folder, name, storage, said)
        run.go_on(resume=resume)
        run.loop(validate_every, checkpoint_every, progress)
        return run.finish()


class _Run:
    """One training while it goes on: the module, its moving average, the optimizer and the record."""

    files: Outputs

    def __init__(
        self,
        task: Task,
        budget: Budget,
        *,
        device: str,
        precision: str,
        seed: int,
        settings: Mapping[str, float],
    ) -> None:
        import torch

        self.task, self.budget = task, budget
        self.device, self.precision, self.seed, self.settings = device, precision, seed, settings
        torch.manual_seed(_torch_seed(seed, 0, 0))
        self.module = task.build().to(device)
        faster_layout(self.module)
        self.shadow = copy.deepcopy(self.module).requires_grad_(False)
        self.parameters = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        decays = {True: settings["weight_decay"], False: 0.0}  # biases and scales are not pulled to zero
        groups = [
            {"params": [p for p in self.parameters.values() if (p.dim() > 1) is matrix], "weight_decay": decay}
            for matrix, decay in decays.items()
        ]
        groups = [group for group in groups if group["params"]]
        self.optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], fused=True)
        self.best: dict[str, Any] | None = None
        self.record = Record()
        self.before, self.started = 0.0, time.monotonic()

    @property
    def count(self) -> int:
        """Number of trained values."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same to go on; the budget may grow, device and precision may change."""
        task = self.task
        about = {"architecture": task.architecture, "config": dict(task.config), "data": dict(task.data)}
        found: dict[str, Any] = json.loads(json.dumps({**about, "seed": self.seed, **self.settings}))
        return found

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent."""
        return self.budget.fraction(step=self.record.step, seconds=self.record.seconds)

    @property
    def seconds(self) -> float:
        """Time spent by now, over all runs."""
        return self.before + time.monotonic() - self.started

    def go_on(self, *, resume: bool) -> None:
        """Take up the checkpoint in the folder, if there is one."""
        path = self.files.checkpoint
        if path.exists():
            if not resume:
                raise ConfigError(
                    f"{path.parent} holds a training already", "a new folder", "Resume it, or name another"
                )
            parts, found = load_checkpoint(path)
            mine, theirs = self.identity, found.get("identity", {})
            if differ := sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)):
                raise ConfigError(
                    f"the training in {path.parent} was begun with another {', another '.join(differ)}",
                    "what it was begun with; the budget may differ",
                    "Name another folder, or give what it was begun with",
                )
            restore(self.module, self.shadow, self.optimizer, parameters=self.parameters, parts=parts)
            best = {name: tensor.to(self.device) for name, tensor in parts.get("best", {}).items()}
            self.best = best or None
            self.record = Record(**found["record"])
        self.before, self.started = self.record.seconds, time.monotonic()

    # ---- the loop ------------------------------------------------------------------------------------------------

    def loop(self, validate_every: float, checkpoint_every: float, progress: Callable[[Moment], None]) -> None:
        """Train until the budget is spent."""
        record = self.record
        if not record.scores:
            self.validate()
        if self.fraction >= 1:
            return
        saved, bad = time.monotonic(), 0
        with Ahead(
            lambda step: moved(self.task.batch(step, self.device), device=self.device), start=record.step
        ) as batches:
            while (before := self.fraction) < 1:
                loss, terms = self.step(batches.take(), before)
                record.add_step(loss, terms, seconds=self.seconds)
                bad = bad + 1 if loss is None else 0
                if bad >= _BAD_IN_A_ROW:
                    raise ConfigError(
                        f"the gradient was not finite in {bad} steps one after the other, up to step {record.step}",
                        "a loss that stays finite",
                        "Train with a smaller learning rate, or in float32",
                    )
                after = self.fraction
                if _passed(before, after, every=1 / _ROWS):
                    record.end_row(self.optimizer.param_groups[0]["lr"])
                if after >= 1 or _passed(before, after, every=validate_every):
                    self.validate()
                if time.monotonic() - saved >= checkpoint_every and after < 1:
                    self.checkpoint()
                    self.publish()
                    saved = time.monotonic()
                said = math.nan if loss is None else loss
                progress(Moment(after, record.step, record.seconds, said, record.last_score))

    def step(self, batch: Any, fraction: float) -> tuple[float | None, Mapping[str, float]]:
        """Do one step; None instead of the loss when its gradient is not finite and nothing was changed."""
        import torch

        settings, step = self.settings, self.record.step
        torch.manual_seed(_torch_seed(self.seed, 1, step))  # dropout: no generator's state has to be kept
        rate = learning_rate_at(fraction, peak=settings["learning_rate"], warmup=settings["warmup"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            loss, terms = self.task.loss(self.module, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no hints
        length = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), settings["clip"]))
        value = float(loss.detach())
        if not math.isfinite(value) or not math.isfinite(length):
            return None, {}
        self.optimizer.step()
        decay = min(settings["ema"], (1 + step) / (_AVERAGE_FROM + step))
        with torch.no_grad():
            for mine, theirs in zip(self.shadow.parameters(), self.module.parameters(), strict=True):
                mine.lerp_(theirs, 1 - decay)
            for kept, new in zip(self.shadow.buffers(), self.module.buffers(), strict=True):
                kept.copy_(new)  # running means are averages already
        return value, {key: float(term) for key, term in terms.items()}

    # ---- validation and files ------------------------------------------------------------------------------------

    def measure(self, module: Any) -> dict[str, float]:
        """Validate a module."""
        import torch

        module.eval()
        with torch.no_grad():
            found = {key: float(value) for key, value in self.task.validate(module).items()}
        if "score" not in found:
            raise ConfigError(f"validation gave {', '.join(found) or 'nothing'}", "a 'score' among its metrics")
        return found

    def validate(self) -> None:
        """Validate the moving average, and keep it if it is the best so far."""
        found = self.measure(self.shadow)
        if self.record.add_score(found, seconds=self.seconds):
            self.best = named_state(self.shadow)

    def checkpoint(self) -> None:
        """Write what going on needs."""
        parts = {"model": self.module.state_dict(), "ema": self.shadow.state_dict()}
        parts["adam"] = adam_state(self.optimizer, self.parameters)
        parts["best"] = self.best or {}
        record = {"identity": self.identity, "record": asdict(self.record)}
        save_checkpoint(self.files.checkpoint, parts, record=record)

    def publish(self) -> None:
        """Write curves, and the best weights so far, so that a training that is killed leaves something."""
        self.files.write_curves(self.record)
        if self.best is not None:
            self.files.write_weights(self.best, self.task, self.record, metrics=self.metrics, finished=False)

    @property
    def metrics(self) -> dict[str, float]:
        """What the best weights reached."""
        row = self.record.best or {}
        return {key: value for key, value in row.items() if key not in ("step", "seconds") and value is not None}

    def finish(self) -> TrainingResult:
        """Write everything a last time; the card says what the file reaches, the rounding of its storage included."""
        self.checkpoint()
        self.publish()
        if self.best is None:
            raise ConfigError(
                "the validation score was never finite", "a finite score", "Train with a smaller learning rate"
            )
        task, files, record = self.task, self.files, self.record
        read = copy.deepcopy(self.shadow)
        fill(read, load_weights(files.weights, architecture=task.architecture))
        metrics = {key: value for key, value in self.measure(read).items() if math.isfinite(value)}
        sha256 = files.write_weights(self.best, task, record, metrics=metrics, finished=True)
        return TrainingResult(
            architecture=task.architecture,
            weights=files.weights,
            card=files.card,
            curve=files.curve,
            folder=files.folder,
            sha256=sha256,
            parameters=self.count,
            steps=record.step,
            skipped_steps=record.skipped,
            seconds=record.seconds,
            device=files.made["device"],
            precision=self.precision,
            first_score=record.first_score,
            score=metrics.get("score", math.nan),
            metrics=metrics,
        )


def _passed(before: float, after: float, *, every: float) -> bool:
    """Tell whether a multiple of ``every`` was reached; a trifle is added as 3 x 0.05 is above 0.15 by rounding."""
    return int(after / every + 1e-9) > int(before / every + 1e-9)


def _torch_seed(seed: int, use: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, use, step]).generate_state(1, np.uint64)[0])


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


def _make_folder(folder: Path) -> None:
    """Make the folder now: to learn at the end that it cannot be written would cost the training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("it may not be written")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be the folder of a training: {error}", "a folder you may write") from error
