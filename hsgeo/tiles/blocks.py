"""Blocks of pixels: pixelwise work in calls of one constant length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

__all__ = ["pixel_blocks"]


def pixel_blocks(
    variables: Mapping[str, np.ndarray], index: np.ndarray, length: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Cut the pixels ``index`` of flat variables into blocks of constant length.

    Parameters
    ----------
    variables : mapping of str to numpy.ndarray
        ``(..., pixel)`` each.
    index : numpy.ndarray
        Pixels to take, ascending.
    length : int
        Pixels in a block; the last one is padded with NaN (0 for integers).

    Yields
    ------
    pixels : numpy.ndarray
        The part of ``index`` that the block's first pixels are.
    block : dict of str to numpy.ndarray
        ``(..., length)`` each, contiguous.
    """
    for start in range(0, index.size, length):
        pixels = index[start : start + length]
        whole = pixels[-1] - pixels[0] + 1 == pixels.size  # a run: a slice copies faster than a gather
        where: slice | np.ndarray = slice(pixels[0], pixels[-1] + 1) if whole else pixels
        block = {}
        for name, values in variables.items():
            fill = np.nan if np.issubdtype(values.dtype, np.floating) else 0
            if pixels.size == length:
                block[name] = np.ascontiguousarray(values[..., where])
            else:
                block[name] = np.full((*values.shape[:-1], length), fill, values.dtype)
                block[name][..., : pixels.size] = values[..., where]
        yield pixels, block
