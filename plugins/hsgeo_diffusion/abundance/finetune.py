"""The task that adapts the abundance prior to a scene: half of the examples are made of it, half are as before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsgeo.nn.weights import Weights, fill, load_weights
from hsgeo.synthetic.lessons import Lesson
from hsgeo_diffusion.abundance.examples import Example, example, example_of, turned
from hsgeo_diffusion.abundance.ground import grounds, lesson_of
from hsgeo_diffusion.abundance.learning import JUDGE_SEED, AbundanceTask, judged, stacked
from hsgeo_diffusion.abundance.network import ARCHITECTURE, ResUNet2D

__all__ = ["SceneTask"]

_TOLD = ("sensor", "product_id", "height", "width", "recipe", "sha256")  # of the scene, on the card
_GENERIC = tuple((snr, strange, 4, 96) for snr in (10.0, 20.0, 30.0) for strange in (False, True))
_TAKES = (0.5, 1.0, 1.0, 2.0)  # noise of the held-out pieces, in units of the scene's


class SceneTask(AbundanceTask):
    """Go on learning from trained weights, every other pair of steps on a scene that has no labels.

    Parameters
    ----------
    patches : xarray.Dataset
        Of the scene, unmixed, as `hsgeo.plugin.Trainer.train` describes ``finetune``.
    weights : pathlib.Path
        To start from.
    seed, first, channels, reuse, shelf
        As for `AbundanceTask`.

    Raises
    ------
    ConfigError
        The weights are not what they should be.
    """

    def __init__(
        self,
        patches: xr.Dataset,
        *,
        weights: Path,
        seed: int = 0,
        first: Callable[[Lesson], np.ndarray] | None = None,
        channels: int = 24,
        reuse: int = 5,
        shelf: int = 80,
    ) -> None:
        self._weights: Weights = load_weights(weights, architecture=ARCHITECTURE)
        config = dict(self._weights.config)
        super().__init__(seed=seed, first=first, channels=channels, reuse=reuse, shelf=shelf, config=config)
        self._learnt, self._held = grounds(patches)
        self.data: dict[str, Any] = self.data | {
            "scenes": "half procedural, as those the weights were trained on, half made of the abundances, endmembers "
            "and noise found in one scene, without labels",
            "start": {"weights": weights.stem, "sha256": self._weights.sha256},
            "scene": {key: patches.attrs[key] for key in _TOLD if key in patches.attrs}
            | {"patches": int(patches.sizes["patch"]), "patch": [int(patches.sizes[dim]) for dim in ("y", "x")]},
        }
        self._of_scene: OrderedDict[tuple[int, int], Example] = OrderedDict()
        self._kinds: list[tuple[str, dict[str, Tensor]]] = []
        self._before: dict[str, float] = {}

    def build(self) -> ResUNet2D:
        """Make the network, trained as far as the weights are."""
        network = ResUNet2D(**self.config)
        fill(network, self._weights)
        return network

    def batch(self, step: int, device: str = "cpu") -> dict[str, Tensor]:
        """Draw a batch, two generic ones (64 and 96 pixels), then two of the scene; the same for seed and step."""
        pair, odd = divmod(step, 2)
        turn, of_scene = divmod(pair, 2)
        if not of_scene:
            return super().batch(2 * turn + odd, device)
        rng = np.random.default_rng([self.seed, 0xF17E, step])
        size = 96 if odd else 64
        amount = max(2, round(self.channels * (1 if odd else 2) / self._learnt.E.shape[1]))
        newest = int(turn * amount / self.reuse) + amount
        oldest = max(0, newest - max(self.shelf, 2 * amount))
        chosen = rng.choice(np.arange(oldest, newest), amount, replace=False)
        ways = rng.integers(0, 8, amount)
        drawn = [self._piece(size, int(index)) for index in chosen]
        return self.made([turned(x, int(way)) for x, way in zip(drawn, ways, strict=True)], rng)

    def _piece(self, size: int, index: int) -> Example:
        key = (size, index)
        if key not in self._of_scene:
            rng = np.random.default_rng([self.seed, 0x5CE7E, size, index])
            self._of_scene[key] = example_of(lesson_of(self._learnt, rng, size), first=self.guess(index))
            while len(self._of_scene) > 2 * self.shelf:
                self._of_scene.popitem(last=False)
        self._of_scene.move_to_end(key)
        return self._of_scene[key]

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """Judge on the part of the scene that is held out, made noisy again, and on a few generic scenes.

        The aRMSE of the mean over the closed form's, geometric means; beside them, what the start had. ``score`` is the
        mean of both kinds, and the start is the first that is judged: what is kept is never worse by it.
        """
        if not self._kinds:
            self._kinds = [("scene", stacked(self._held_out())), *(("generic", one) for one in self._generic())]
            self._before = {f"{kind}_before": value for kind, value in self._measured(self._start()).items()}
        found = self._measured(module)
        return found | self._before | {"score": float(np.mean(list(found.values())))}

    def _start(self) -> ResUNet2D:
        with torch.random.fork_rng(devices=[]):  # first values are drawn and dropped
            return self.build().eval()

    def _measured(self, module: torch.nn.Module) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for kind, batch in self._kinds:
            found.setdefault(kind, []).extend(judged(module, batch))
        return {kind: float(np.exp(np.mean(np.log(values)))) for kind, values in found.items()}

    def _held_out(self) -> list[Example]:
        size = 96 if max(self._held.A.shape[2:]) > 64 else 64
        return [
            example_of(
                lesson_of(self._held, np.random.default_rng([JUDGE_SEED, take]), size, factor=factor), first=self.first
            )
            for take, factor in enumerate(_TAKES)
        ]

    def _generic(self) -> list[dict[str, Tensor]]:
        return [
            stacked([example(JUDGE_SEED, size, count, 0, first=self.first, snr=snr, strange=strange)])
            for snr, strange, count, size in _GENERIC
        ]
