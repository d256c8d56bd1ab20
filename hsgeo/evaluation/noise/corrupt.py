"""The noise that is added to an image: white, in stripes, or of another strength in every band."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.evaluation.accuracy.scenes import add_noise

__all__ = ["KINDS", "corrupt"]

KINDS = ("white", "striped", "banded")
"""``striped``: half of the power is white, half an offset of every detector (column and band) that stays down the
rows, as push-broom sensors have it. ``banded``: white, with a standard deviation of its own in every band, log-uniform
over a decade. All have the same total power at the same SNR."""

_DECADE = 1.0  # loudest over quietest band: about what the edges of a detector have over its middle


def corrupt(image: np.ndarray, kind: str, *, snr_db: float, seed: int, name: str = "") -> np.ndarray:
    """Add noise of total variance ``|Y|_F^2 / (N L) 10^(-snr_db / 10)``.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)``, any unit.
    kind : str
        One of `KINDS`.
    snr_db : float
        Signal-to-noise ratio, dB; infinity: none.
    seed : int
        Of the run.
    name : str
        Of the image, so that two images get different noise.

    Returns
    -------
    numpy.ndarray
        float32, the same shape; white noise is that of the accuracy benchmark in every bit.

    Raises
    ------
    ConfigError
        There is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"noise of the kind {kind!r}", ", ".join(KINDS), "Choose with --noise-kind")
    if kind == "white" or np.isinf(snr_db):
        return add_noise(image, snr_db, seed=seed, name=name)
    rng = np.random.default_rng([seed, crc32(f"{kind} {name}".encode()), round(1000 * snr_db) % 2**32])
    sigma = np.sqrt(np.mean(np.square(image, dtype=np.float64)) * 10 ** (-snr_db / 10))
    _, cols, bands = image.shape
    if kind == "striped":
        noise = np.sqrt(0.5) * (rng.standard_normal(image.shape) + rng.standard_normal((1, cols, bands)))
    else:
        spread = 10 ** rng.uniform(0, _DECADE, bands)
        noise = rng.standard_normal(image.shape) * (spread / np.sqrt(np.mean(spread**2)))
    return (image + sigma * noise).astype(np.float32)
