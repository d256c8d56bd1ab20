"""Randomness keyed to absolute pixels, so that no tiling can change it."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["generator", "pixel_noise"]

_BLOCK = 32  # side of a noise block: small enough to waste little on a window, large enough to vectorise


def _key(seed: int, stage: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{stage}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def generator(seed: int, stage: str, *key: int) -> np.random.Generator:
    """Return the generator that belongs to (seed, stage, key)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([_key(seed, stage), *key])))


def pixel_noise(
    seed: int, stage: str, step: int, row: int, col: int, height: int, width: int, channels: int = 1
) -> np.ndarray:
    """Draw standard normal noise keyed to (seed, stage, step, absolute pixel block).

    Parameters
    ----------
    seed, stage, step
        The key.
    row, col : int
        Absolute position of the first pixel; may be negative.
    height, width, channels : int
        Shape of the result.

    Returns
    -------
    numpy.ndarray
        ``(channels, height, width)`` float32.
    """
    key = _key(seed, stage)
    out = np.empty((channels, height, width), np.float32)
    mask = (1 << 64) - 1
    for block_row in range(row // _BLOCK, (row + height - 1) // _BLOCK + 1):
        for block_col in range(col // _BLOCK, (col + width - 1) // _BLOCK + 1):
            # the counter's lowest word is left to the generator; Philox has four of them
            counter = (step & mask) << 192 | (block_row & mask) << 128 | (block_col & mask) << 64
            rng = np.random.Generator(np.random.Philox(key=key, counter=counter))
            y0, x0 = block_row * _BLOCK - row, block_col * _BLOCK - col
            top, left = max(y0, 0), max(x0, 0)
            bottom, right = min(y0 + _BLOCK, height), min(x0 + _BLOCK, width)
            for channel in range(channels):  # channel by channel: more channels leave the first ones as they were
                block = rng.standard_normal((_BLOCK, _BLOCK), dtype=np.float32)
                out[channel, top:bottom, left:right] = block[top - y0 : bottom - y0, left - x0 : right - x0]
    return out
