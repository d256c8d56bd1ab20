"""Examples to learn from: synthetic scenes as the network sees them, and what it should have said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.estimate import estimate, mixing
from hsgeo.synthetic.lessons import Lesson, lesson
from hsgeo_diffusion.abundance.conditions import conditions
from hsgeo_diffusion.abundance.smooth import smoother

__all__ = ["Example", "example", "example_of", "turned"]


@dataclass(frozen=True)
class Example:
    """One scene for the network; maps, volume, closed, reach and target float16.

    Parameters
    ----------
    maps, volume, closed, reach, valid, correlation
        As in `hsgeo_diffusion.abundance.conditions.Conditions`.
    target : numpy.ndarray
        ``(endmember, y, x)``: the closed form of the same scene without its noise. It is what the convention
        means by abundance, model error included; a network that aims elsewhere does harm where there is no noise.
    """

    maps: np.ndarray
    volume: np.ndarray
    closed: np.ndarray
    reach: np.ndarray
    valid: np.ndarray
    correlation: np.ndarray
    target: np.ndarray


def example(
    seed: int,
    size: int,
    count: int,
    index: int,
    *,
    first: Callable[[Lesson], np.ndarray] | None,
    snr: float | None = None,
    strange: bool = True,
) -> Example:
    """Make an example; the same for the same arguments.

    Parameters
    ----------
    seed, index : int
        Seed of the data, and number of the example.
    size : int
        Side in pixels.
    count : int
        Number of endmembers.
    first : callable or None
        Gives the first guess.
    snr : float, optional
        dB; by default anything between 4 and 42.
    strange : bool
        As in `hsgeo.synthetic.lessons.lesson`.

    Returns
    -------
    Example
        Input and target.
    """
    rng = np.random.default_rng([seed, size, count, index, 5, int(strange)])
    return example_of(lesson(rng, size, count, snr=snr, strange=strange), first=first)


def example_of(scene: Lesson, *, first: Callable[[Lesson], np.ndarray] | None) -> Example:
    """Turn a scene into what the network sees of it, and what it should say.

    Parameters
    ----------
    scene : Lesson
        With and without noise.
    first : callable or None
        Gives the first guess.

    Returns
    -------
    Example
        Input and target.
    """
    mix = mixing(scene.E, scene.noise, peak=scene.peak)
    c = conditions(scene.noisy, scene.wavelength, mix, smoother(mix), None if first is None else first(scene))
    target = estimate(scene.clean.reshape(len(scene.E), -1), mix).closed.reshape(scene.A.shape)
    valid = c.valid & np.isfinite(target[0])
    half = np.float16
    return Example(
        c.maps.astype(half),
        c.volume.astype(half),
        c.closed.astype(half),
        c.reach.astype(half),
        valid,
        c.correlation,
        np.where(valid, target, 0).astype(half),
    )


def turned(x: Example, way: int) -> Example:
    """Turn and mirror an example: ``way`` 0 to 7, none of them changes what it is about."""

    def turn(a: np.ndarray) -> np.ndarray:
        a = np.rot90(a, way % 4, axes=(-2, -1))
        return a[..., ::-1] if way >= 4 else a

    return Example(
        turn(x.maps), turn(x.volume), turn(x.closed), turn(x.reach), turn(x.valid), x.correlation, turn(x.target)
    )
