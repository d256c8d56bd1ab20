"""Synthetic scenes with settings that no training draws: what a method states of its errors there is its own word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.evaluation.noise.closed import closed_form, in_convention, shares
from hsgeo.synthetic import AbundanceField, Effects, observe, random_field, random_spectra, reflectance

__all__ = ["TRUTHS", "WORLDS", "UnseenScene", "World", "unseen_scene"]

TRUTHS = ("closed-form", "generator")
"""``closed-form``: the convention's solution of the image before its noise, what a method can know and what networks
are trained for. ``generator``: the abundances that the scene was drawn with, which gains, variability, second
reflections and model error also part from the estimate."""

# First word of every seed: trainings draw from seeds of 0, 1, ... and of 1000003, and from tuples of other lengths.
_SEED = 0x5EED0FF

_ZERO = 1e-6  # abundance: a solver leaves less than this where the bound holds


@dataclass(frozen=True)
class World:
    """How the scenes of one kind are drawn.

    Parameters
    ----------
    summary : str
        What is unlike training, in words.
    field : str
        ``"landscape"`` (`AbundanceField`: parcels, a river, roads; training never draws it) or one of `FIELD_KINDS`.
    materials : tuple of str or int
        Materials of `MATERIALS`, or how many random spectra.
    bands : tuple of float
        First and last centre, step, nm.
    peak : bool
        Convention: endmembers of highest band 1 and a gain per pixel; false: physical.
    effects : Effects
        Strengths; noise is the benchmark's own.
    size : tuple of int
        Rows and columns.
    """

    summary: str
    field: str
    materials: tuple[str, ...] | int
    bands: tuple[float, float, float]
    peak: bool
    effects: Effects
    size: tuple[int, int] = (88, 96)  # one window of hybridstu, so that a laptop can do it

    @property
    def wavelength(self) -> np.ndarray:
        """Band centres ``(bands,)`` nm."""
        first, last, step = self.bands
        return np.arange(first, last + step / 2, step)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the endmembers."""
        if isinstance(self.materials, int):
            return tuple(f"material-{k + 1}" for k in range(self.materials))
        return self.materials


# Training (Effects.random, and its strange scenes) turns most effects off, and draws the others log-uniformly up to:
# gain 0.25 smooth and 0.15 per pixel, variability 0.08 with slopes to 3.5, second reflections 0.3, path 0.03, model
# error 0.06. Beyond or between these in every world but the first and the last two, whose fields and bands are new.
WORLDS: dict[str, World] = {
    "land": World(
        "landscape of parcels, river and roads; named materials; linear",
        "landscape", ("soil", "green-vegetation", "dry-vegetation", "water"), (400.0, 2500.0, 10.0), False, Effects(),
        (118, 126),  # windows of any method overlap: what blending does to intervals counts
    ),
    "hills": World(
        "landscape; gain 0.35 smooth, 0.2 per pixel",
        "landscape", 5, (420.0, 2440.0, 14.0), True, Effects(gain_smooth=0.35, gain_pixel=0.2, variability=0.02),
    ),
    "varied": World(
        "landscape; variability 0.12 of slope 4, model error 0.03",
        "landscape", 4, (405.0, 2495.0, 11.0), True,
        Effects(gain_smooth=0.1, variability=0.12, variability_slope=4.0, model_error=0.03),
    ),
    "hazy": World(
        "soft fields; path 0.04, second reflections 0.4",
        "softmax", 4, (450.0, 2350.0, 17.0), True, Effects(offset=0.04, bilinear=0.4, gain_smooth=0.1),
    ),
    "all-at-once": World(
        "ragged classes; every effect at a middling strength",
        "fractal", 5, (410.0, 2490.0, 13.0), False,
        Effects(gain_pixel=0.01, variability=0.02, bilinear=0.08, offset=0.008, model_error=0.012),
    ),
    "garden": World(
        "parcels of straight fields; 420 to 890 nm every 9 nm, as on drones; linear",
        "parcels", ("soil", "green-vegetation", "asphalt", "roof-tile"), (420.0, 890.0, 9.0), False, Effects(),
    ),
    "crowd": World(
        "landscape; 11 endmembers; linear with gain",
        "landscape", 11, (400.0, 2500.0, 12.0), True, Effects(gain_smooth=0.1, gain_pixel=0.03),
    ),
}  # fmt: skip
"""By name."""


@dataclass(frozen=True)
class UnseenScene:
    """A scene before its noise, and both of its truths.

    Parameters
    ----------
    world : str
        Of `WORLDS`.
    image : numpy.ndarray
        ``(rows, cols, bands)`` float32 reflectance.
    wavelength : numpy.ndarray
        ``(bands,)`` nm, ascending.
    E : numpy.ndarray
        True endmembers ``(bands, endmembers)``, reflectance.
    names : tuple of str
        Of the endmembers.
    peak : bool
        Convention.
    truths : dict of str to numpy.ndarray
        By the names of `TRUTHS`, ``(pixels, endmembers)``, in the convention.
    """

    world: str
    image: np.ndarray
    wavelength: np.ndarray
    E: np.ndarray
    names: tuple[str, ...]
    peak: bool
    truths: dict[str, np.ndarray]


@lru_cache(maxsize=4)  # a few MB each; runs of one scene follow one another
def unseen_scene(world: str, seed: int) -> UnseenScene:
    """Draw a scene.

    Parameters
    ----------
    world : str
        Of `WORLDS`.
    seed : int
        Number of the scene, 0 or more; each is another landscape with other spectra.

    Returns
    -------
    UnseenScene
        The same for the same arguments.

    Raises
    ------
    ConfigError
        There is no such world.
    """
    from threadpoolctl import threadpool_limits

    if world not in WORLDS:
        raise ConfigError(f"there is no unseen scene {world!r}", ", ".join(WORLDS), "Choose with --scenes")
    kind = WORLDS[world]
    rng = np.random.default_rng([_SEED, crc32(world.encode()), seed])
    wavelength, names, (rows, cols) = kind.wavelength, kind.names, kind.size
    fwhm, count = np.full(wavelength.size, 1.1 * kind.bands[2]), len(names)
    with threadpool_limits(1):  # the bits of a matrix product change with the number of threads
        if isinstance(kind.materials, int):
            E = random_spectra(rng, count, wavelength, fwhm)
        else:
            E = reflectance(names, wavelength, fwhm)
        if kind.field == "landscape":
            field = AbundanceField(rows, cols, count, seed=int(rng.integers(2**31)), river=count - 1, road=0)
            A = field.rows(0, rows)
        else:
            A = random_field(rng, rows, cols, count, kind=kind.field)
        clean = observe(rng, E, A, wavelength=wavelength, effects=kind.effects).clean
        image = np.ascontiguousarray(np.moveaxis(clean, 0, 2), np.float32)
        drawn = np.asarray(A.reshape(count, -1).T, np.float64)
        if kind.peak:  # an endmember divided by its highest band has that much more abundance
            drawn = shares(drawn * np.abs(E).max(axis=0))
        solved = closed_form(image.reshape(-1, wavelength.size), in_convention(E, peak=kind.peak), peak=kind.peak).A
    solved = np.where(solved < _ZERO, 0.0, solved)
    truths = dict(zip(TRUTHS, (solved, drawn), strict=True))
    return UnseenScene(world, image, wavelength, np.asarray(E, np.float64), names, kind.peak, truths)
