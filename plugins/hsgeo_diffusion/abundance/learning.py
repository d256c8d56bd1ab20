"""The task that trains the abundance prior: which examples, which loss, which scenes it is judged by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsgeo.nn.pixel_maps import MAPS
from hsgeo.nn.simplex import onto_simplex
from hsgeo.nn.weights import load_weights
from hsgeo.synthetic.lessons import COUNTS, Lesson
from hsgeo_diffusion.abundance.conditions import FIRST, GUIDE
from hsgeo_diffusion.abundance.examples import Example, example, turned
from hsgeo_diffusion.abundance.network import (
    ARCHITECTURE,
    FARTHEST,
    HIGHEST,
    SIGMA_DATA,
    ResUNet2D,
    denoised,
)

__all__ = ["JUDGE_SEED", "AbundanceTask", "judged", "stacked", "start_from"]

JUDGE_SEED = 1_000_003
"""The same validation scenes for every training; not a seed to train with."""

_START = "hybridstu-zero/1"
_FLOOR = 1e-3  # abundance: no reward for being more exact than this
_PROJECTED = 0.75  # weight of the loss after the projection; the rest, before it, reaches clipped endmembers
_LEVELS = (
    -0.8,
    1.2,
)  # mean and spread of ln(sigma): what is unsure is 0.1 to 1 of the reach
_SAMPLED = 0.35  # share of examples at such a level; the others learn the posterior mean, which is what is asked for
_SAMPLED_WEIGHT = 0.5  # of their loss, which is noisier
_GUESSED = 3, 5  # so many of so many examples have a first guess; it takes most of the time of making them
_UNGUIDED = 0.3  # share of examples without a guide
_LEAST_REACH = 1e-4  # abundance: corrections are not told finer than that
_JUDGED = (
    *((f"ratio_{snr:g}dB", snr, False) for snr in (10.0, 20.0, 30.0, 40.0)),
    *((f"strange_{snr:g}dB", snr, True) for snr in (20.0, 30.0)),
)
_JUDGED_KINDS = ((3, 96), (4, 96), (5, 64), (6, 96), (9, 64))  # endmembers and sides


class AbundanceTask:
    """Learn the corrections of closed-form abundances on synthetic scenes: their mean, and at which odds.

    Parameters
    ----------
    seed : int
        Seed of the examples.
    first : callable or None
        Gives the first guess (`hsgeo_diffusion.abundance.first.FirstGuess`).
    start : pathlib.Path, optional
        Weights of `HybridSTU` that training starts from: the same network without noise levels and smoothed maps.
    channels : int
        Endmembers times scenes in a batch, for sides of 96 pixels.
    reuse : int
        How often an example is met, turned and made noisy differently.
    shelf : int
        Examples of one kind (side, number of endmembers) that are kept to be met again.
    config : dict, optional
        Arguments of `ResUNet2D`.
    """

    architecture = ARCHITECTURE

    def __init__(
        self,
        *,
        seed: int = 0,
        first: Callable[[Lesson], np.ndarray] | None = None,
        start: Path | None = None,
        channels: int = 24,
        reuse: int = 5,
        shelf: int = 80,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.seed, self.first, self.start = seed, first, start
        self.channels, self.reuse, self.shelf = channels, reuse, shelf
        self.config = config or {"widths": [24, 40, 64, 96, 96], "volume_widths": [12, 24]}
        self.data = {
            "scenes": "procedural: fields, spectra, bands and effects of hsgeo.synthetic; no file is read",
            "first guess": getattr(first, "name", "none"),
            "start": "random" if start is None else start.stem,
            "seed": seed,
            "channels": channels,
            "reuse": reuse,
            "shelf": shelf,
        }
        self._kept: OrderedDict[tuple[int, int, int], Example] = OrderedDict()
        self._judged: list[tuple[str, dict[str, Tensor]]] = []

    def build(self) -> ResUNet2D:
        """Make the network, untrained but for what it starts from."""
        network = ResUNet2D(**self.config)
        if self.start is not None:
            start_from(network, self.start)
        return network

    def batch(self, step: int, device: str = "cpu") -> dict[str, Tensor]:
        """Draw a batch; the same for the same seed and step.

        Every step has scenes of one size and one number of endmembers. Of each kind new examples come in one by one,
        and stay on a shelf of fixed length from which a step draws.
        """
        rng = np.random.default_rng([self.seed, 0xD1FF, step])
        size = 96 if step % 2 else 64
        count = int(rng.choice(list(COUNTS), p=list(COUNTS.values())))
        share = COUNTS[count] / 2  # of the steps
        amount = max(2, round(self.channels * (1 if size == 96 else 2) / count))
        newest = int(share * step * amount / self.reuse) + amount
        oldest = max(0, newest - max(self.shelf, 2 * amount))
        chosen = rng.choice(np.arange(oldest, newest), amount, replace=False)
        ways = rng.integers(0, 8, amount)
        drawn = [self._example(size, count, int(index)) for index in chosen]
        return self.made([turned(x, int(way)) for x, way in zip(drawn, ways, strict=True)], rng)

    def made(self, examples: list[Example], rng: np.random.Generator) -> dict[str, Tensor]:
        """Stack examples to a batch, and draw what each is told and at which noise level."""
        amount = len(examples)
        batch = stacked(examples)
        batch["maps"][torch.from_numpy(rng.random(amount) < _UNGUIDED), :, GUIDE] = 0
        # one example in so many, at a place that changes: the share of a batch is not left to chance
        sampled = (np.arange(amount) + rng.random()) * _SAMPLED % 1 < _SAMPLED
        levels = np.where(sampled, np.exp(rng.normal(*_LEVELS, amount)), HIGHEST)
        batch["sigma"] = torch.from_numpy(levels.astype(np.float32))
        batch["noise"] = torch.from_numpy(rng.standard_normal(batch["closed"].shape, np.float32))
        return batch

    def guess(self, index: int) -> Callable[[Lesson], np.ndarray] | None:
        """Tell what gives the first guess of an example, if it has one."""
        return self.first if index % _GUESSED[1] < _GUESSED[0] else None

    def _example(self, size: int, count: int, index: int) -> Example:
        key = (size, count, index)
        if key not in self._kept:
            self._kept[key] = example(self.seed, size, count, index, first=self.guess(index))
            while len(self._kept) > self.shelf * 2 * len(COUNTS):
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def loss(self, module: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Mean over scenes of the logarithm of the error: of the aRMSE for the mean, of the weighted one for a sample.

        It is what the evaluation asks for; and a scene that goes wrong pulls no harder than one that goes well.
        """
        wanted = _correction(batch)
        sigma = batch["sigma"]
        x = wanted + sigma.view(-1, 1, 1, 1) * batch["noise"]
        found = denoised(module, x, sigma, batch["maps"], batch["volume"], batch["correlation"])
        moved = batch["closed"] + batch["reach"] * found
        after, before = _ratio(onto_simplex(moved), batch), _ratio(moved, batch)
        mean = sigma >= HIGHEST
        each = _PROJECTED * after.log() + (1 - _PROJECTED) * before.log()
        # of a sample, what is left over what a network can know at all at that level (Karras et al., 2022, section 5)
        size = sigma * SIGMA_DATA / (sigma**2 + SIGMA_DATA**2).sqrt()
        left = (((found - wanted) ** 2) * batch["valid"].unsqueeze(1)).mean(dim=(1, 2, 3)) / size**2
        loss = torch.where(mean, each, _SAMPLED_WEIGHT * 0.5 * (left + 1e-4).log()).mean()
        return loss, {
            "ratio": float(after[mean].detach().log().mean().exp()),
            "sampled": float(left[~mean].detach().mean()),
        }

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """Judge on fixed scenes: aRMSE of the mean over the closed form's, geometric mean by noise level, and mean."""
        if not self._judged:
            self._judged = [
                (name, stacked([self._judge(s, c, i, snr, strange) for i in range(3)]))
                for name, snr, strange in _JUDGED  # other seeds than those of the training
                for c, s in _JUDGED_KINDS
            ]
        found: dict[str, list[float]] = {}
        first: list[float] = []
        for name, batch in self._judged:
            for alone in (False, True) if name == "ratio_20dB" else (False,):
                found.setdefault(f"alone_{name}" if alone else name, []).extend(judged(module, batch, alone=alone))
            guess = batch["closed"] + batch["reach"].clamp(min=_LEAST_REACH) * batch["maps"][:, :, FIRST]
            first.extend(_ratio(guess, batch).tolist() if name.startswith("ratio") else [])
        out = {name: float(np.exp(np.mean(np.log(values)))) for name, values in found.items()}
        out["worst"] = max(max(values) for values in found.values())
        out["first_guess"] = float(np.exp(np.mean(np.log(first))))
        out["score"] = float(np.mean([out[name] for name in found if not name.startswith("alone")]))
        return out

    def _judge(self, size: int, count: int, index: int, snr: float, strange: bool) -> Example:
        return example(JUDGE_SEED, size, count, index, first=self.first, snr=snr, strange=strange)


def start_from(network: ResUNet2D, path: Path) -> None:
    """Give a network the weights of HybridSTU; what it has beside them stays without effect until it is trained.

    Parameters
    ----------
    network : ResUNet2D
        Untrained, of the same widths.
    path : pathlib.Path
        Weights of the stage ``hybridstu``.

    Raises
    ------
    ConfigError
        The file is not what it should be.
    """
    known = {
        name: torch.from_numpy(np.asarray(a)).float()
        for name, a in load_weights(path, architecture=_START).tensors.items()
    }
    stem = torch.zeros_like(network.stem.weight)
    stem[:, :MAPS] = known["stem.weight"]
    known["stem.weight"] = stem
    network.load_state_dict(known, strict=False)


def judged(module: torch.nn.Module, batch: dict[str, Tensor], *, alone: bool = False) -> list[float]:
    """Judge the mean that a network gives: the aRMSE of each scene over that of the closed form.

    Parameters
    ----------
    module : torch.nn.Module
        The network, on any device.
    batch : dict of str to torch.Tensor
        From `stacked`, on the CPU.
    alone : bool
        Whether the first guess is withheld.

    Returns
    -------
    list of float
        One for each scene.
    """
    device = next(module.parameters()).device
    batch = {name: values.to(device) for name, values in batch.items()}
    maps = batch["maps"].clone()
    if alone:
        maps[:, :, FIRST : FIRST + 2] = 0
    sigma = torch.full((len(maps),), HIGHEST, device=device)
    with torch.no_grad():
        move = denoised(module, torch.zeros_like(batch["closed"]), sigma, maps, batch["volume"], batch["correlation"])
        found: list[float] = _ratio(onto_simplex(batch["closed"] + batch["reach"] * move), batch).cpu().tolist()
    return found


def stacked(examples: list[Example]) -> dict[str, Tensor]:
    """Stack examples of one size and count to float32 tensors on the CPU, by the names of `Example`."""

    def all_of(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(e, name) for e in examples]).astype(np.float32))

    names = ("maps", "volume", "closed", "reach", "correlation", "target", "valid")
    return {name: all_of(name) for name in names}


def _correction(batch: dict[str, Tensor]) -> Tensor:
    """Return what should be added, in units of the reach; 0 in invalid pixels."""
    reach = batch["reach"].clamp(min=_LEAST_REACH)
    return ((batch["target"] - batch["closed"]) / reach * batch["valid"].unsqueeze(1)).clamp(-FARTHEST, FARTHEST)


def _ratio(a: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Return the aRMSE of each scene over that of the closed form."""
    valid = batch["valid"].unsqueeze(1)

    def square(x: Tensor) -> Tensor:
        return (((x - batch["target"]) ** 2) * valid).mean(dim=(1, 2, 3)) + _FLOOR**2

    return (square(a) / square(batch["closed"])).sqrt()
