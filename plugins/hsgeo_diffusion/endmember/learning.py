"""The task that trains the endmember prior: denoising spectra at all levels, seen by any sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsgeo.nn import step_rng
from hsgeo_diffusion.endmember.examples import NoisySpectra, draw_examples
from hsgeo_diffusion.endmember.network import ARCHITECTURE, SPREAD, SpectrumDenoiser

__all__ = ["EndmemberTask"]

_UNSEEN = 0.3  # weight of grid points that no band sees: guesses, which should not rule the training
_BEND = 2.0  # in units of what is there to learn: misses beyond count linearly
_JUDGE_SEED = 1_000_003  # the same validation spectra for every training; not a seed to train with
_SENSORS, _STAY = (
    48,
    3,
)  # sensors in use at a time, and steps until one of them goes: making one takes as long as a step
_JUDGED = (40.0, 30.0, 20.0, 10.0)


class EndmemberTask:
    """Learn to take the noise out of spectra of synthetic materials.

    Parameters
    ----------
    seed : int
        Seed of the examples.
    sensors, spectra : int
        Sensors in a batch, and spectra of each.
    config : dict, optional
        Arguments of `SpectrumDenoiser`.
    """

    architecture = ARCHITECTURE

    def __init__(
        self, *, seed: int = 0, sensors: int = 3, spectra: int = 24, config: dict[str, Any] | None = None
    ) -> None:
        self.seed, self.sensors, self.spectra = seed, sensors, spectra
        self.config = config or {"widths": [24, 48, 96], "kernel": 5}
        self.data = {
            "spectra": "procedural: random_spectra of hsgeo.synthetic with fine structure and marks of the atmosphere; "
            "no file is read",
            "sensors": "random_bands of hsgeo.synthetic",
            "seed": seed,
            "batch": sensors * spectra,
        }
        self._judged: list[tuple[str, dict[str, Tensor]]] = []

    def build(self) -> SpectrumDenoiser:
        """Make the network, untrained."""
        return SpectrumDenoiser(**self.config)

    def batch(self, step: int, device: str = "cpu") -> dict[str, Tensor]:
        """Draw a batch; the same for the same seed and step."""
        rng = step_rng(self.seed, step)
        first = self.seed * 2**32 + step // _STAY  # a new sensor every few steps, and the last ones with it
        chosen = first + rng.integers(0, _SENSORS, self.sensors)
        return _stacked([draw_examples(rng, self.spectra, sensor_seed=int(k)) for k in chosen])

    def loss(self, module: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Miss of the clean spectra in units of what the noise leaves open (Karras et al. 2022, equation 8)."""
        level = batch["level"]
        miss = (module(batch["x"], level, batch["fwhm"]) - batch["target"]) / (
            level * SPREAD / torch.sqrt(level**2 + SPREAD**2)
        )
        weight = _UNSEEN + (1 - _UNSEEN) * batch["seen"]
        bent = torch.nn.functional.smooth_l1_loss(miss, torch.zeros_like(miss), beta=_BEND, reduction="none")
        loss = 2 * _BEND * (weight * bent).sum() / weight.sum()
        return loss, {}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """Judge on fixed spectra: error after over error before, where bands are, by noise level."""
        if not self._judged:
            rng = step_rng(_JUDGE_SEED, -1)
            self._judged = [
                (
                    f"ratio_{snr:g}dB",
                    _stacked([draw_examples(rng, 16, sensor_seed=_JUDGE_SEED + k, snr=snr) for k in range(12)]),
                )
                for snr in _JUDGED
            ]
        device = next(module.parameters()).device
        out = {}
        with torch.no_grad():
            for name, cpu in self._judged:
                b = {key: value.to(device) for key, value in cpu.items()}
                after = module(b["x"], b["level"], b["fwhm"])
                errors = [((x - b["target"]) ** 2 * b["seen"]).sum(dim=1) for x in (after, b["x"])]
                out[name] = float((errors[0] / errors[1]).log().mean().mul(0.5).exp())
        out["score"] = float(np.exp(np.mean(np.log(list(out.values())))))
        return out


def _stacked(parts: list[NoisySpectra]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.concatenate([getattr(p, name) for p in parts])) for name in NoisySpectra._fields}
