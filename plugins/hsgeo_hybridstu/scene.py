"""The fit of the mode scene: self-supervised, from noise added to one copy of the data and taken from another.

With ``z`` of the noise's own size, ``y + z / 2`` and ``y - 2 z`` have independent errors (recorrupted-to-recorrupted,
Pang et al., CVPR 2021): what is estimated from the first can be judged on the second as if the truth were known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hsgeo.nn.simplex import onto_simplex
from hsgeo.spectra.solvers.estimate import Mixing, mixing
from hsgeo_hybridstu.config import HybridstuOptions
from hsgeo_hybridstu.features import features
from hsgeo_hybridstu.kernel import corrected
from hsgeo_hybridstu.network import HybridSTU
from hsgeo_hybridstu.scene_network import SceneNetwork, beginning, packed
from hsgeo_hybridstu.tokens import DRAWS, scene_tokens, tokens_of

__all__ = ["SceneFit", "fit_scene"]

_ALPHA = 0.5  # of the noise that is added: the input is 12 % noisier than the scene, the judge 2.2 times
_BATCH, _CROP = 4, 32  # crops in a step, and their side: four times more steps than with whole patches
_HELD_OUT = 4  # every fourth split judges and does not teach
_SAD = 0.1  # weight of the spectral angle, in units of the angle that noise makes
_SMOOTH = 1e-2  # weight of the total variation, in units of the error
_VOLUME = 1e-4  # weight of the logarithm of the endmembers' volume
_LABEL = 1.0  # weight of a labelled pixel
_RATES = (2e-3, 2e-4)  # of the network and of the endmembers (relative)
_TINY = 1e-4  # abundance: a reach below it leaves nothing to learn
_LOOKS = 10  # how often the held-out splits are asked
_PATIENCE = 3  # looks without an improvement before the fit stops


@dataclass(frozen=True)
class SceneFit:
    """What the fit learnt.

    Parameters
    ----------
    weights : numpy.ndarray
        Of the network, packed.
    strength : float
        How much of the correction is used, 0 to 1: what the held-out data say.
    groups : numpy.ndarray
        ``(TOKENS, band)``: how the data make tokens.
    endmembers : numpy.ndarray
        ``(bands, endmembers)``, refined or as they were.
    before, after : float
        Held-out excess of the residual in units of what noise makes, without and with the fit; 1: a perfect estimate.
    steps : int
        Steps done.
    """

    weights: np.ndarray
    strength: float
    groups: np.ndarray
    endmembers: np.ndarray
    before: float
    after: float
    steps: int


@dataclass(frozen=True)
class _Split:
    """One patch and one draw: what the network sees, and the judge. All ``(..., y, x)``, 0 in invalid pixels."""

    tokens: Tensor
    first: Tensor
    reach: Tensor
    judge: Tensor  # spectra of the other copy
    energy: Tensor  # their squared length
    least: Tensor  # squared residual of plain least squares on them
    valid: Tensor
    label: Tensor

    def crop(self, y: int, x: int) -> _Split:
        """Cut a square out."""
        at = (..., slice(y, y + _CROP), slice(x, x + _CROP))
        return _Split(**{name: value[at] for name, value in vars(self).items()})


def fit_scene(
    patches: np.ndarray,
    wavelength: np.ndarray,
    mix: Mixing,
    network: HybridSTU,
    *,
    options: HybridstuOptions,
    rng: np.random.Generator,
    labels: np.ndarray | None = None,
    report: Any = lambda fraction, text: None,
) -> SceneFit:
    """Fit a correction of the first abundances to the scene's own patches.

    Parameters
    ----------
    patches : numpy.ndarray
        ``(patch, band, y, x)`` float32, NaN where invalid.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    mix : Mixing
        Endmembers, convention, noise.
    network : HybridSTU
        Of the mode zero, from whose abundances the fit starts.
    options : HybridstuOptions
        Steps, anchor, whether endmembers move.
    rng : numpy.random.Generator
        Source of randomness.
    labels : numpy.ndarray, optional
        ``(patch, y, x)`` index of the endmember that fills the pixel, -1: not told.
    report : callable
        ``report(fraction, text)``.

    Returns
    -------
    SceneFit
        Never worse than the mode zero on the held-out data.
    """
    given, unit = mix.E, _size(patches)
    patches, E = patches / np.float32(unit), mix.E if mix.peak else mix.E / unit
    mix = mixing(E, mix.noise / unit, peak=mix.peak)
    whole = np.nan_to_num(patches.astype(np.float64), posinf=0.0, neginf=0.0)
    scale = np.sqrt(np.square(whole).mean(axis=(0, 2, 3)))
    scale = np.where(scale > 0, scale, 1.0)
    groups_of = (tokens_of(wavelength) / scale).astype(np.float32)
    splits = _splits(patches, wavelength, mix, network, groups=groups_of, rng=rng, labels=labels)
    report(0.3, "scene split into pairs")
    judged = [s for k, s in enumerate(splits) if k % _HELD_OUT == _HELD_OUT - 1]
    taught = [s for k, s in enumerate(splits) if k % _HELD_OUT != _HELD_OUT - 1]
    net = beginning(mix.E.shape[1], seed=int(rng.integers(2**31)))
    E0 = torch.from_numpy(mix.E.astype(np.float32))
    change = torch.zeros_like(E0, requires_grad=options.endmembers == "refine")
    groups: list[dict[str, Any]] = [{"params": list(net.parameters()), "lr": _RATES[0]}]
    if change.requires_grad:
        groups.append({"params": [change], "lr": _RATES[1]})
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    judge = _Judge(mix)
    least = judge.least(judged, E0)
    before = judge.held_out(net, judged, E0, 0.0)
    farthest = float(max(s.reach.max() for s in splits))
    told = labels is not None and bool((labels >= 0).any())
    if (farthest < _TINY or before <= least) and not (change.requires_grad or told):
        return SceneFit(packed(net), 0.0, groups_of / np.float32(unit), given, before, before, 0)
    best, kept, strength, waited = before, packed(net), 0.0, 0
    kept_E, began, done = given, time.monotonic(), 0
    every = max(1, options.steps // _LOOKS)
    for step in range(options.steps):
        E = (E0 * (1 + change)).clamp(min=0)
        loss = judge.loss(net, [_crop(taught, rng) for _ in range(_BATCH)], E)
        if change.requires_grad:
            loss = loss + options.anchor * change.square().mean() * len(E0) + _VOLUME * _volume(E)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        done = step + 1
        if done % every == 0 or done == options.steps:
            E = (E0 * (1 + change)).clamp(min=0).detach()
            found = {s: judge.held_out(net, judged, E, s) for s in (0.5, 1.0)}
            s = min(found, key=lambda key: found[key])
            report(0.3 + 0.7 * done / options.steps, f"held-out misfit {found[s]:.4f}, at first {before:.4f}")
            if found[s] < best - 1e-4:
                best, kept, strength, waited = found[s], packed(net), s, 0
                kept_E = E.numpy().astype(np.float64) * (1 if mix.peak else unit) if change.requires_grad else given
            else:
                waited += 1
            late = options.seconds is not None and time.monotonic() - began > options.seconds
            if best <= least or waited >= _PATIENCE or late:
                break
    return SceneFit(kept, strength, groups_of / np.float32(unit), kept_E, before, best, done)


def _size(patches: np.ndarray) -> float:
    """Root mean square of what is there: everything is divided by it, so that the unit of the data does not matter."""
    there = patches[np.isfinite(patches)].astype(np.float64)
    return float(np.sqrt(np.mean(there**2))) or 1.0


def _splits(
    patches: np.ndarray,
    wavelength: np.ndarray,
    mix: Mixing,
    network: HybridSTU,
    *,
    groups: np.ndarray,
    rng: np.random.Generator,
    labels: np.ndarray | None,
) -> list[_Split]:
    """Split every patch `DRAWS` times; draws of one patch follow one another."""
    louder = mixing(mix.E, mix.noise * np.sqrt(1 + _ALPHA**2), peak=mix.peak)
    basis = np.linalg.qr(mix.E)[0].astype(np.float32)
    out = []
    for k, patch in enumerate(patches):
        spread = mix.noise.astype(np.float32)[:, None, None]
        for _ in range(DRAWS):
            z = rng.standard_normal(patch.shape, dtype=np.float32) * spread
            seen, kept = patch + np.float32(_ALPHA) * z, patch - z / np.float32(_ALPHA)
            f = features(seen, wavelength, louder)
            with torch.inference_mode():
                first = onto_simplex(corrected(network, [f], "cpu"))[0]
            valid = f.valid & np.isfinite(kept).all(axis=0)
            kept = np.where(valid, kept, 0).astype(np.float32)
            energy = np.einsum("byx,byx->yx", kept, kept)
            inside = np.tensordot(basis.T, kept, axes=(1, 0))
            label = np.full(valid.shape, -1) if labels is None else labels[k]
            out.append(
                _Split(
                    tokens=_tensor(scene_tokens(seen, groups, valid)),
                    first=first.clone(),
                    reach=_tensor(np.where(valid, f.reach, 0)),
                    judge=_tensor(kept),
                    energy=_tensor(energy),
                    least=_tensor(energy - np.einsum("pyx,pyx->yx", inside, inside)),
                    valid=_tensor(valid),
                    label=torch.from_numpy(np.where(valid, label, -1).astype(np.int64)),
                )
            )
    # every fourth split judges: turned round, so that whole patches do where there are enough of them
    count = len(patches)
    return [out[p * DRAWS + d] for d in range(DRAWS) for p in range(count)] if count >= _HELD_OUT else out


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _crop(splits: list[_Split], rng: np.random.Generator) -> _Split:
    """Draw a crop with some valid pixels."""
    for _ in range(8):
        s = splits[int(rng.integers(len(splits)))]
        y, x = (int(rng.integers(0, n - _CROP + 1)) for n in s.valid.shape)
        part = s.crop(y, x)
        if bool(part.valid.any()):
            break
    return part


def _abundances(net: SceneNetwork, splits: list[_Split], strength: float = 1.0) -> Tensor:
    """Return ``(split, endmember, y, x)``."""
    tokens, first, reach = (torch.stack([getattr(s, name) for s in splits]) for name in ("tokens", "first", "reach"))
    return onto_simplex(first + strength * reach * net(tokens, first, reach))


class _Judge:
    """Measure abundances on the copy that they were not estimated from."""

    def __init__(self, mix: Mixing) -> None:
        self._peak = mix.peak
        spread = np.linalg.qr(mix.E)[0] * mix.noise[:, None]
        # what noise alone adds to the residual of the best abundances, over that of free least squares
        self._expected = float((spread**2).sum() * (1 + 1 / _ALPHA**2))
        self._power = torch.from_numpy((mix.noise**2 * (1 + 1 / _ALPHA**2)).astype(np.float32))

    def _terms(self, a: Tensor, s: _Split, E: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``<y, E a>`` and ``|E a|^2`` per pixel."""
        pull = torch.einsum("bp,byx->pyx", E, s.judge)
        return (pull * a).sum(0), torch.einsum("pyx,pq,qyx->yx", a, E.T @ E, a).clamp(min=1e-12)

    def least(self, judged: list[_Split], E: Tensor) -> float:
        """Tell the misfit that the true abundances would have, where the discrepancy principle stops.

        It is 1, less what a gain per pixel takes: the noise along the pixel's own spectrum.
        """
        if not self._peak:
            return 1.0
        taken = []
        for s in judged:
            model = torch.einsum("bp,pyx->byx", E, s.first).square()
            along = torch.einsum("b,byx->yx", self._power, model) / model.sum(0).clamp(min=1e-12)
            taken.append(float((along * s.valid).sum() / s.valid.sum().clamp(min=1)))
        return 1 - float(np.mean(taken)) / self._expected

    def misfit(self, a: Tensor, s: _Split, E: Tensor) -> Tensor:
        """Mean residual over that of least squares, in units of what noise makes; the closed form minimises it."""
        along, square = self._terms(a, s, E)
        residual = s.energy - (along.clamp(min=0) ** 2 / square if self._peak else 2 * along - square)
        return ((residual - s.least) * s.valid).sum() / s.valid.sum().clamp(min=1) / self._expected

    def loss(self, net: SceneNetwork, splits: list[_Split], E: Tensor) -> Tensor:
        """Misfit, spectral angle, roughness, labels; mean over splits of one size."""
        found = zip(_abundances(net, splits), splits, strict=True)
        return torch.stack([self._price(a, s, E) for a, s in found]).mean()

    def _price(self, a: Tensor, s: _Split, E: Tensor) -> Tensor:
        along, square = self._terms(a, s, E)
        sine = 1 - along.clamp(min=0) ** 2 / (square * s.energy).clamp(min=1e-12)
        angle = (sine * s.energy * s.valid).sum() / s.valid.sum().clamp(min=1) / self._expected
        down, across = s.valid[1:] * s.valid[:-1], s.valid[:, 1:] * s.valid[:, :-1]
        rough = ((a[:, 1:] - a[:, :-1]).abs() * down).mean() + ((a[:, :, 1:] - a[:, :, :-1]).abs() * across).mean()
        loss = self.misfit(a, s, E) + _SAD * angle + _SMOOTH * rough / s.reach.mean().clamp(min=1e-3)
        told = s.label >= 0
        if bool(told.any()):
            truth = torch.nn.functional.one_hot(s.label.clamp(min=0), len(a)).permute(2, 0, 1).to(a.dtype)
            loss = loss + _LABEL * ((a - truth).square().sum(0) * told).sum() / told.sum()
        return loss

    def held_out(self, net: SceneNetwork, judged: list[_Split], E: Tensor, strength: float) -> float:
        """Mean misfit of splits that were not taught."""
        with torch.inference_mode():
            return float(np.mean([float(self.misfit(_abundances(net, [s], strength)[0], s, E)) for s in judged]))


def _volume(E: Tensor) -> Tensor:
    """Logarithm of the endmembers' volume about their mean."""
    centred = (E - E.mean(dim=1, keepdim=True)) / E.norm(dim=0).mean()
    return torch.logdet(centred.T @ centred + 1e-3 * torch.eye(E.shape[1]))
