"""Total-variation denoising of the channels of an image together (the vectorial ROF model)."""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.arrays import as_count, as_weight

__all__ = ["ROUNDS", "vector_rof"]

ROUNDS = 40
"""Steps by default: 400 change the error of abundances by 2 % at most, on 24 synthetic scenes with chosen weights."""


def vector_rof(image: np.ndarray, weight: float, *, rounds: int = ROUNDS) -> np.ndarray:
    """Denoise an image whose channels have their edges in the same places.

    Minimises ``|u - f|^2 / 2 + weight * sum_p ||grad u(p)||``, the norm taken over both directions and all channels
    together (Bresson and Chan, "Fast dual minimization of the vectorial total variation norm", 2008, equation 9), by
    the accelerated projected gradient on the dual (Beck and Teboulle, 2009, section 4). A rotation of the channels
    rotates the answer and changes nothing else.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, channels)``. A pixel with a value that is not finite is missing: nothing is a difference to it.
    weight : float
        Units of the image, at least 0; 0 changes nothing.
    rounds : int
        Steps, at least 1.

    Returns
    -------
    numpy.ndarray
        The same shape, float32; NaN in missing pixels.

    Raises
    ------
    ConfigError
        The image has no three dimensions, or weight or rounds are out of range.
    """
    weight, rounds = as_weight(weight, name="weight"), as_count(rounds, name="rounds")
    image = np.array(image, dtype=np.float32, order="C")
    if image.ndim != 3:
        raise ConfigError(f"the image has the shape {image.shape}", "(rows, cols, channels)", "Add the missing axis")
    valid = np.isfinite(image).all(axis=2)
    image[~valid] = 0
    if not np.float32(weight) > 0 or 0 in image.shape:
        out = image
    else:
        from hsgeo.spectra.solvers.vector_rof_kernels import vector_dual_steps

        out = np.empty_like(image)
        rows, cols, channels = image.shape
        dual, last = np.zeros((2, rows, cols, 2, channels), np.float32)
        vector_dual_steps(image, valid, np.float32(weight), rounds, dual, last, out)
    out[~valid] = np.nan
    return out
