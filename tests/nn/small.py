"""A real network at tiny size: two convolutions that take the noise from smooth fields."""

import os
import signal
import sys
from typing import ClassVar

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from hsgeo.nn import step_rng, train


def fields(rng, count):
    clean = gaussian_filter(rng.normal(size=(count, 1, 16, 16)), (0, 0, 2, 2)).astype(np.float32) * 6
    noisy = clean + rng.normal(size=clean.shape).astype(np.float32)
    return torch.from_numpy(noisy), torch.from_numpy(clean)


class Denoise:
    architecture = "denoise/1"

    def __init__(self, *, seed=0, width=6, kill_at=None, poison=()):
        self.config, self.seed, self.kill_at, self.poison = {"width": width}, seed, kill_at, poison
        self.data = {"fields": "Gaussian, sigma 2", "noise": 1.0}
        self.steps = []

    def build(self):
        width = self.config["width"]
        layers = [nn.Conv2d(1, width, 5, padding=2), nn.BatchNorm2d(width), nn.GELU(), nn.Dropout(0.1)]
        return nn.Sequential(*layers, nn.Conv2d(width, 1, 5, padding=2))

    def batch(self, step, device):
        return {"pair": fields(step_rng(self.seed, step), 4), "step": step}

    def loss(self, module, batch):
        if batch["step"] == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        noisy, clean = batch["pair"]
        error = (module(noisy) - clean).square().mean()
        if batch["step"] in self.poison:
            error = error * float("nan")
        self.steps.append(batch["step"])
        return error, {"mse": error.detach()}

    def validate(self, module):
        noisy, clean = fields(step_rng(self.seed, -1), 8)
        error = (module(noisy.to(next(module.parameters()).device)).cpu() - clean).square().mean()
        return {"score": float(error.sqrt()), "noise": float((noisy - clean).square().mean().sqrt())}


class Trainer:
    about: ClassVar = {}

    def train(self, *, out, budget, device, seed, size, precision, threads, resume, command, progress):
        task = Denoise(seed=seed, width=3 if size == "small" else 6)
        task.data |= self.about
        return train(
            task, out=out, budget=budget, device=device, seed=seed, precision=precision, threads=threads,
            resume=resume, command=command, progress=progress, name="denoise",
        )  # fmt: skip


class SceneTrainer(Trainer):
    def train(self, *, finetune=None, **others):
        self.about = {**finetune.attrs, "sizes": dict(finetune.sizes)}
        return super().train(**others)


OPTIONS = {"seed": 3, "threads": 1, "device": "cpu", "precision": "float32", "ema": 0.9}

if __name__ == "__main__":  # killed in the middle of step 5
    train(Denoise(kill_at=5), out=sys.argv[1], budget="8steps", checkpoint_every=0, **OPTIONS)
