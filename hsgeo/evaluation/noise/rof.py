"""Total-variation denoising of maps, each by itself (the ROF model)."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["rof"]

_ROUNDS = 60  # within 1 % of the optimum of strong smoothing, where 1000 change the error by 2 %


def rof(maps: np.ndarray, weight: float, *, rounds: int = _ROUNDS) -> np.ndarray:
    """Minimise ``|u - f|^2 / 2 + weight * TV(u)`` for every map ``f``.

    Isotropic, non-periodic total variation (Rudin, Osher and Fatemi, 1992), by the accelerated projected gradient on
    the dual (Beck and Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising and
    deblurring", 2009, section 4).

    Parameters
    ----------
    maps : numpy.ndarray
        ``(maps, rows, cols)``, finite.
    weight : float
        Units of the maps; 0 changes nothing.
    rounds : int
        Steps.

    Returns
    -------
    numpy.ndarray
        The same shape, float32.

    Raises
    ------
    ConfigError
        Values are not finite, the shape is another one, or the weight or rounds are negative.
    """
    from hsgeo.evaluation.noise.rof_kernels import dual_steps

    maps = np.ascontiguousarray(maps, dtype=np.float32)
    if maps.ndim != 3:
        raise ConfigError(f"maps of shape {maps.shape}", "(maps, rows, cols)")
    if not np.isfinite(maps).all():
        raise ConfigError("maps with values that are not finite", "finite ones", "Fill them before")
    if not (np.isfinite(weight) and weight >= 0) or rounds < 0:
        raise ConfigError(f"weight={weight}, rounds={rounds}", "a finite weight and rounds, at least 0")
    weight32 = np.float32(weight)
    if not weight32 > 0:
        return maps.copy()
    out = np.empty_like(maps)
    for image, smooth in zip(maps, out, strict=True):
        down, across, last_down, last_across = np.zeros((4, *image.shape), np.float32)
        dual_steps(image, weight32, rounds, down, across, last_down, last_across, smooth)
    return out
