"""The task that trains the mode zero: which examples, which loss, which scenes it is judged by."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsgeo.nn.simplex import onto_simplex
from hsgeo.synthetic.lessons import COUNTS
from hsgeo_hybridstu.examples import Example, example, turned
from hsgeo_hybridstu.network import ARCHITECTURE, HybridSTU

__all__ = ["ZeroTask"]

_FLOOR = 1e-3  # abundance: no reward for being more exact than this
_PROJECTED = 0.75  # weight of the loss after the projection; the rest, before it, reaches clipped endmembers
# Steps on scenes that fit their endmembers well; strange ones from then on. Smoothing is learnt first, and faster so;
# without strange scenes the network did harm, 4 % where noise was weak beside what the endmembers do not explain.
_FAMILIAR = 1628
_JUDGE_SEED = 1_000_003  # the same validation scenes for every training; not a seed to train with
_JUDGED = (
    *((f"ratio_{snr:g}dB", snr, False) for snr in (10.0, 20.0, 30.0, 40.0)),
    *((f"strange_{snr:g}dB", snr, True) for snr in (20.0, 30.0)),
)
_JUDGED_KINDS = ((3, 96), (4, 96), (5, 64), (6, 96), (9, 64))  # endmembers and sides


class ZeroTask:
    """Learn to correct closed-form abundances on synthetic scenes.

    Parameters
    ----------
    seed : int
        Seed of the examples.
    channels : int
        Endmembers times scenes in a batch, for sides of 96 pixels.
    reuse : int
        How often an example is met, turned differently.
    shelf : int
        Examples of one kind (side, number of endmembers) that are kept to be met again.
    config : dict, optional
        Arguments of `HybridSTU`.
    """

    architecture = ARCHITECTURE

    def __init__(
        self,
        *,
        seed: int = 0,
        channels: int = 24,
        reuse: int = 3,
        shelf: int = 60,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.seed, self.channels, self.reuse, self.shelf = seed, channels, reuse, shelf
        self.config = config or {"widths": [24, 40, 64, 96, 96], "volume_widths": [12, 24]}
        self.data = {
            "scenes": "procedural: fields, spectra, bands and effects of hsgeo.synthetic; no file is read",
            "strange": f"from step {_FAMILIAR} on",
            "seed": seed,
            "channels": channels,
            "reuse": reuse,
            "shelf": shelf,
        }
        self._kept: OrderedDict[tuple[int, int, int, bool], Example] = OrderedDict()
        self._judged: list[tuple[str, dict[str, Tensor]]] = []

    def build(self) -> HybridSTU:
        """Make the network, untrained."""
        return HybridSTU(**self.config)

    def batch(self, step: int, device: str = "cpu") -> dict[str, Tensor]:
        """Draw a batch; the same for the same seed and step.

        Every step has scenes of one size and one number of endmembers. Of each kind new examples come in one by one,
        and stay on a shelf of fixed length from which a step draws.
        """
        rng = np.random.default_rng([self.seed, 0xBA7C4, step])
        size = 96 if step % 2 else 64
        count = int(rng.choice(list(COUNTS), p=list(COUNTS.values())))
        share = COUNTS[count] / 2  # of the steps
        amount = max(2, round(self.channels * (1 if size == 96 else 2) / count))
        strange = step >= _FAMILIAR
        newest = int(share * (step - _FAMILIAR * strange) * amount / self.reuse) + amount
        oldest = max(0, newest - max(self.shelf, 2 * amount))
        chosen = rng.choice(np.arange(oldest, newest), amount, replace=False)
        ways = rng.integers(0, 8, amount)
        drawn = [self._example(size, count, int(index), strange=strange) for index in chosen]
        return _stack([turned(x, int(way)) for x, way in zip(drawn, ways, strict=True)])

    def _example(self, size: int, count: int, index: int, *, strange: bool) -> Example:
        key = (size, count, index, strange)
        if key not in self._kept:
            self._kept[key] = example(self.seed, size, count, index, strange=strange)
            while len(self._kept) > self.shelf * 2 * len(COUNTS):
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def loss(self, module: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Mean over scenes of the logarithm of the aRMSE over that of the closed form.

        It is what the evaluation asks for; and a scene that goes wrong pulls no harder than one that goes well.
        """
        moved = batch["closed"] + batch["reach"] * module(batch["maps"], batch["volume"], batch["correlation"])
        after, before = _ratio(onto_simplex(moved), batch), _ratio(moved, batch)
        loss = _PROJECTED * after.log().mean() + (1 - _PROJECTED) * before.log().mean()
        return loss, {"ratio": float(after.detach().log().mean().exp())}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """Judge on fixed scenes: aRMSE over the closed form's, geometric mean by noise level, and their mean."""
        if not self._judged:
            self._judged = [
                (name, _stack([example(_JUDGE_SEED, s, c, i, snr=snr, strange=strange) for i in range(3)]))
                for name, snr, strange in _JUDGED  # other seeds than those of the training
                for c, s in _JUDGED_KINDS
            ]
        found: dict[str, list[float]] = {}
        device = next(module.parameters()).device
        with torch.no_grad():
            for name, cpu in self._judged:
                batch = {k: v.to(device) for k, v in cpu.items()}
                moved = batch["closed"] + batch["reach"] * module(batch["maps"], batch["volume"], batch["correlation"])
                found.setdefault(name, []).extend(_ratio(onto_simplex(moved), batch).cpu().tolist())
        out = {name: float(np.exp(np.mean(np.log(values)))) for name, values in found.items()}
        out["worst"] = max(max(values) for values in found.values())
        # the strange ones stand beside: they came late, and the score compares the whole of a training
        out["score"] = float(np.mean([out[name] for name in found if name.startswith("ratio")]))
        return out


def _stack(examples: list[Example]) -> dict[str, Tensor]:
    def all_of(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(e, name) for e in examples]).astype(np.float32))

    names = ("maps", "volume", "closed", "reach", "correlation", "target", "valid")
    return {name: all_of(name) for name in names}


def _ratio(a: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Return the aRMSE of each scene over that of the closed form."""
    valid = batch["valid"].unsqueeze(1)

    def square(x: Tensor) -> Tensor:
        return (((x - batch["target"]) ** 2) * valid).mean(dim=(1, 2, 3)) + _FLOOR**2

    return (square(a) / square(batch["closed"])).sqrt()
