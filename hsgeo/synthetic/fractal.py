"""Fractal noise that can be evaluated at any position: one seed, one field, whatever part is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Fractal"]

_PERIOD = 128  # lattice nodes per side: even the third octave repeats only after 32 coarse nodes


@dataclass(frozen=True)
class Fractal:
    """A sum of octaves of value noise, in about -1 ... 1 with mean 0.

    Parameters
    ----------
    seed : int
        Seed of the field.
    scale : float
        Distance between the nodes of the coarsest octave, in the unit of the positions.
    octaves : int
        Each octave has half the scale and `gain` times the amplitude of the one before.
    gain : float
        Roughness: 0.35 gives hills, 0.6 gives ragged coasts.
    """

    seed: int
    scale: float
    octaves: int = 4
    gain: float = 0.5

    def __call__(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Evaluate the field; a value depends on its own position only.

        Parameters
        ----------
        y, x : numpy.ndarray
            Positions ``(rows, 1)`` and ``(1, columns)``.

        Returns
        -------
        numpy.ndarray
            ``(rows, columns)`` float32.
        """
        rng = np.random.default_rng([self.seed, 0xF7AC])  # 0xF7AC keeps this stream apart from others of the same seed
        out = np.zeros((y.shape[0], x.shape[1]), np.float32)
        scale, amplitude, total = float(self.scale), 1.0, 0.0
        for _ in range(self.octaves):
            lattice = rng.uniform(-1, 1, (_PERIOD, _PERIOD)).astype(np.float32)
            shift = rng.uniform(0, _PERIOD, 2)
            out += np.float32(amplitude) * _value_noise(lattice, y / scale + shift[0], x / scale + shift[1])
            total += amplitude**2
            scale, amplitude = scale / 2, amplitude * self.gain
        # interpolated uniform noise has a standard deviation near 0.37; 2.7 brings it to about 1 before the halving
        return np.float32(0.5 * 2.7 / np.sqrt(total)) * out


def _value_noise(lattice: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolate a periodic lattice with Perlin's quintic fade (continuous second derivative), rows first."""
    iy, jy, fy = _between(y[:, 0])
    ix, jx, fx = _between(x[0])
    rows = lattice[iy] + fy[:, None] * (lattice[jy] - lattice[iy])
    left = rows[:, ix]
    return left + fx * (rows[:, jx] - left)


def _between(position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two lattice nodes around each position and the faded way from the first to the second."""
    node = np.floor(position)
    f = (position - node).astype(np.float32)
    first = node.astype(np.int64) % _PERIOD
    return first, (first + 1) % _PERIOD, f * f * f * (f * (f * 6 - 15) + 10)
