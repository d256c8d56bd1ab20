"""Gaussian random fields with a power-law spectrum: hills at a steep slope, salt and pepper at a flat one."""

from __future__ import annotations

import numpy as np

__all__ = ["gaussian_fields"]

_MARGIN = 1.15  # spectral fields are periodic: drawn larger and cropped, so that opposite edges need not agree


def gaussian_fields(
    rng: np.random.Generator,
    count: int,
    height: int,
    width: int,
    *,
    slope: float,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> np.ndarray:
    """Draw smooth or rough random fields of mean 0 and standard deviation 1.

    Complex white noise is weighted by ``f^(-slope / 2)`` in the frequency domain; real and imaginary part of one
    inverse transform are two independent fields.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    count : int
        Number of fields.
    height, width : int
        Size in cells.
    slope : float
        Slope of the radial power spectrum: 0 white, 2 clouds, 4 smooth hills.
    stretch : float
        How much longer structures are along `angle` than across it.
    angle : float
        Direction of the stretch, radians from the rows' direction.

    Returns
    -------
    numpy.ndarray
        ``(count, height, width)`` float32; a field that cannot vary (one cell) is 0.
    """
    from scipy.fft import ifft2, next_fast_len  # heavy, and not needed by every user of this package

    rows, columns = (next_fast_len(int(np.ceil(_MARGIN * n)) + 2) for n in (height, width))
    fy = np.fft.fftfreq(rows).astype(np.float32)[:, None]
    fx = np.fft.fftfreq(columns).astype(np.float32)[None, :]
    along, across = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    power: np.ndarray = np.float32(stretch) * np.square(along * fx + across * fy)
    power = power + np.square(along * fy - across * fx) / np.float32(stretch)
    power[0, 0] = 1.0
    amplitude = power ** np.float32(-slope / 4)  # power is f squared
    amplitude[0, 0] = 0.0
    pairs = -(-count // 2)
    noise = rng.standard_normal((pairs, rows, columns, 2), dtype=np.float32).view(np.complex64)[..., 0]
    noise *= amplitude
    fields = ifft2(noise, overwrite_x=True)[:, :height, :width]
    out = np.concatenate([fields.real, fields.imag])[:count]
    out -= out.mean(axis=(1, 2), keepdims=True)
    spread = out.std(axis=(1, 2), keepdims=True)
    out /= np.where(spread > 0, spread, 1)
    return np.ascontiguousarray(out, dtype=np.float32)
