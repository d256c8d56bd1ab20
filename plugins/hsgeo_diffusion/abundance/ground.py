"""A scene as ground for examples: its own fields, mixed again with mild faults and noise of its own kind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from hsgeo.spectra.calibrated import calibrated_noise
from hsgeo.synthetic.effects import NO_EFFECTS, Effects
from hsgeo.synthetic.lessons import Lesson
from hsgeo.synthetic.observation import observe

__all__ = ["Ground", "grounds", "lesson_of"]

_NOISE_PIXELS = 65_536  # complete ones: enough to tell the noise within 1 %
_HELD_OUT = 1 / 3  # of a scene of one patch: held out for validation; of several patches it is the last
_TOLD_WRONG = 0.06  # of the told noise, relative: as in `hsgeo.synthetic.lessons`
_LEAST_NOISE = 1e-7  # of the size of the data: as in `hsgeo.spectra.calibrated`
_FACTORS = (0.5, 2.0)  # times the noise of the scene: other takes of the same sensor


@dataclass(frozen=True)
class Ground:
    """Unmixed patches of a scene, and how noisy it is.

    Parameters
    ----------
    E : numpy.ndarray
        Endmembers ``(band, endmember)`` float32.
    wavelength : numpy.ndarray
        ``(band,)`` nm.
    peak : bool
        Whether every pixel has a gain.
    A : numpy.ndarray
        Abundances times gain ``(patch, endmember, y, x)`` float32; NaN in invalid pixels.
    noise : numpy.ndarray
        Standard deviation ``(band,)``, above 0.
    """

    E: np.ndarray
    wavelength: np.ndarray
    peak: bool
    A: np.ndarray
    noise: np.ndarray


def grounds(patches: xr.Dataset) -> tuple[Ground, Ground]:
    """Take the patches that ``hsgeo train --finetune`` hands over: to learn from, and to validate with.

    Parameters
    ----------
    patches : xarray.Dataset
        As `hsgeo.plugin.Trainer.train` describes ``finetune``.

    Returns
    -------
    learnt, held : Ground
        All patches but the last, and the last; of a single one two thirds and a third, cut across the longer side.
    """
    spectra = patches["spectra"].transpose("patch", "y", "x", "band").values
    E = patches["endmembers"].transpose("band", "endmember")
    A = patches["abundance"].transpose("patch", "endmember", "y", "x").values.astype(np.float32)
    peak = str(E.attrs.get("scale", "physical")) == "peak"
    if "gain" in patches:
        A = A * patches["gain"].transpose("patch", "y", "x").values[:, None].astype(np.float32)
    pixels = spectra.reshape(-1, spectra.shape[-1])
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    pixels = pixels[:: max(1, -(-len(pixels) // _NOISE_PIXELS))]
    size = float(np.sqrt(np.mean(np.square(pixels, dtype=np.float64)))) if len(pixels) else 1.0
    noise = np.maximum(calibrated_noise(pixels), _LEAST_NOISE * size)
    known = Ground(E.values.astype(np.float32), patches["wavelength"].values, peak, A, noise)
    if len(A) > 1:
        return replace(known, A=A[:-1]), replace(known, A=A[-1:])
    across = 2 if A.shape[2] >= A.shape[3] else 3
    # by valid pixels: both parts have some, wherever the scene is empty
    valid = np.isfinite(A[0, 0]).sum(axis=1 if across == 2 else 0).cumsum()
    cut = int(np.searchsorted(valid, (1 - _HELD_OUT) * valid[-1] - 1e-9)) + 1
    cut = min(max(cut, 1), A.shape[across] - 1)
    learnt, held = np.split(A, [cut], axis=across)
    return replace(known, A=learnt), replace(known, A=held)


def lesson_of(ground: Ground, rng: np.random.Generator, size: int, *, factor: float | None = None) -> Lesson:
    """Draw a scene to learn from: a piece of the ground as another day and another pass would show it.

    Parameters
    ----------
    ground : Ground
        From `grounds`.
    rng : numpy.random.Generator
        Source of randomness; the same state gives the same scene.
    size : int
        Side in pixels; what the ground does not fill is invalid.
    factor : float, optional
        Noise, in units of the scene's; by default anything between half and twice, without faults of the mixture
        where it is given, so that what is judged is the scene.

    Returns
    -------
    Lesson
        The scene; its true mixture is what was estimated.
    """
    crop = _crop(ground, rng, size)
    valid = np.isfinite(crop[0])
    # something has to be there: fields of faults are drawn over the whole piece
    A = np.where(valid, crop, np.float32(1 / len(crop)))
    drawn = Effects.random(rng)
    effects = NO_EFFECTS
    if factor is None:
        effects = replace(
            NO_EFFECTS,
            gain_smooth=drawn.gain_smooth,
            gain_pixel=drawn.gain_pixel,
            variability=drawn.variability,
            variability_slope=drawn.variability_slope,
            model_error=drawn.model_error,
        )
    clean = observe(rng, ground.E, A, effects=effects, wavelength=ground.wavelength).clean
    times = float(np.exp(rng.uniform(*np.log(_FACTORS)))) if factor is None else factor
    level = ground.noise * times
    noisy = clean + level[:, None, None].astype(np.float32) * rng.standard_normal(clean.shape, np.float32)
    noisy[:, ~valid] = np.nan
    power = float(np.mean(np.square(clean[:, valid], dtype=np.float64)))
    return Lesson(
        noisy,
        clean,
        ground.wavelength,
        ground.E.astype(np.float64),
        A,
        ground.peak,
        level * np.exp(rng.normal(0, _TOLD_WRONG)),
        float(10 * np.log10(power / np.mean(level**2))),
    )


def _crop(ground: Ground, rng: np.random.Generator, size: int) -> np.ndarray:
    """Cut a piece ``(endmember, size, size)`` out of a patch, drawn by how much of it is valid; NaN where it ends."""
    there = np.isfinite(ground.A[:, 0]).sum(axis=(1, 2))
    patch = ground.A[rng.choice(len(there), p=there / there.sum())]
    out = np.full((len(patch), size, size), np.nan, np.float32)
    for _ in range(20):  # a place with nothing in it teaches nothing
        y, x = (int(rng.integers(0, max(extent - size, 0) + 1)) for extent in patch.shape[1:])
        piece = patch[:, y : y + size, x : x + size]
        if np.isfinite(piece[0]).mean() >= 0.25:
            break
    else:
        y, x = (int(at) for at in np.argwhere(np.isfinite(patch[0]))[0])
        y, x = min(y, max(patch.shape[1] - size, 0)), min(x, max(patch.shape[2] - size, 0))
        piece = patch[:, y : y + size, x : x + size]
    out[:, : piece.shape[1], : piece.shape[2]] = piece
    return out
