"""Examples to learn from: synthetic scenes as the network sees them, and what it should have said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsgeo.spectra.solvers.estimate import estimate, mixing
from hsgeo.synthetic.lessons import lesson
from hsgeo_hybridstu.features import features

__all__ = ["Example", "example", "turned"]


@dataclass(frozen=True)
class Example:
    """One scene for the network; arrays float16 but `valid` and `correlation`.

    Parameters
    ----------
    maps, volume, closed, reach, valid, correlation
        As in `hsgeo_hybridstu.features.Features`.
    target : numpy.ndarray
        ``(endmember, y, x)``: the closed form of the same scene without its noise. It is what the convention
        means by abundance, model error included; a network that aims elsewhere does harm where there is no noise.
    snr : float
        Signal-to-noise ratio, dB.
    """

    maps: np.ndarray
    volume: np.ndarray
    closed: np.ndarray
    reach: np.ndarray
    valid: np.ndarray
    correlation: np.ndarray
    target: np.ndarray
    snr: float


def example(
    seed: int, size: int, count: int, index: int, *, snr: float | None = None, strange: bool = False
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
    snr : float, optional
        dB; by default anything between 4 and 42.
    strange : bool
        Whether six scenes in ten fit their endmembers as badly as real ones can: variability, unexplained structure
        and second reflections up to five times as strong.

    Returns
    -------
    Example
        Input and target.
    """
    rng = np.random.default_rng([seed, size, count, index, *([1] if strange else [])])
    scene = lesson(rng, size, count, snr=snr, strange=strange)
    mix = mixing(scene.E, scene.noise, peak=scene.peak)
    f = features(scene.noisy, scene.wavelength, mix)
    target = estimate(scene.clean.reshape(len(scene.E), -1), mix).closed.reshape(count, size, size)
    valid = f.valid & np.isfinite(target[0])
    half = np.float16
    return Example(
        f.maps.astype(half),
        f.volume.astype(half),
        f.closed.astype(half),
        f.reach.astype(half),
        valid,
        f.correlation,
        np.where(valid, target, 0).astype(half),
        scene.snr,
    )


def turned(x: Example, way: int) -> Example:
    """Turn and mirror an example: ``way`` 0 to 7, none of them changes what it is about."""

    def turn(a: np.ndarray) -> np.ndarray:
        a = np.rot90(a, way % 4, axes=(-2, -1))
        return a[..., ::-1] if way >= 4 else a

    return Example(
        turn(x.maps), turn(x.volume), turn(x.closed), turn(x.reach), turn(x.valid), x.correlation, turn(x.target), x.snr
    )
