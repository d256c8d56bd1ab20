"""The fit sample: which pixels of a scene are read to learn from. Bounded, seeded, spread over the scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hsgeo.stages.source import Source
from hsgeo.tiles.grid import Box
from hsgeo.tiles.noise import generator

__all__ = ["PATCH", "Patch", "draw", "lattice", "pixel_budget", "top_up"]

PATCH = 32  # side of a sample patch: a disk reads runs, not single pixels; small enough for about 100 places
MOST = 100_000  # pixels: endmember extraction gains nothing from more (design.md section 4)
SHARE = 0.1  # of the scene
LEAST = 16_384  # pixels: scenes up to 128 x 128 are read whole, they are smaller than one tile
RESERVE = 0.2  # of the budget, kept to replace what turns out useless: most scenes that are worth it have less cloud
ENOUGH = 0.05  # valid share of the sample below which more places are tried
ROUNDS = 4  # samples drawn at most when nearly everything is nodata; more only while no pixel at all is valid


@dataclass(frozen=True)
class Patch:
    """One patch of the sample, as read: ``spectra (band, y, x)`` with all bands, and the scene's quality."""

    box: Box
    spectra: np.ndarray
    quality: np.ndarray | None


def pixel_budget(height: int, width: int) -> int:
    """Return how many pixels of a scene a sample may read."""
    return min(height * width, MOST, max(int(SHARE * height * width), LEAST))


def lattice(height: int, width: int, size: int) -> list[Box]:
    """List the cells of the absolute lattice of patches, row by row."""
    return [
        Box(y, min(y + size, height), x, min(x + size, width))
        for y in range(0, height, size)
        for x in range(0, width, size)
    ]


def _order(height: int, width: int, size: int, seed: int) -> Iterator[Box]:
    """Yield every cell once, each stretch of the order spread evenly over the scene.

    Cells are taken in bit-reversed order of their rank along rows and columns, from a seeded start, so that
    any first n of them are a stratified sample.
    """
    rows, cols = -(-height // size), -(-width // size)
    rng = generator(seed, "sample")
    row_of, col_of = _spread(rows, rng), _spread(cols, rng)
    # a walk over (row, col) with co-prime steps would line up; instead shift the columns from row to row
    for turn in range(cols):
        for step, row in enumerate(row_of):
            col = col_of[(turn + step * max(1, round(cols * 0.618))) % cols]  # golden-section shift
            y, x = row * size, col * size
            yield Box(y, min(y + size, height), x, min(x + size, width))


def _spread(count: int, rng: np.random.Generator) -> list[int]:
    bits = max(1, (count - 1).bit_length())
    order = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)]
    shift = int(rng.integers(count))
    return [(i + shift) % count for i in order if i < count]


def draw(source: Source, seed: int, *, share: float = 1.0) -> list[Patch]:
    """Read the sample of a scene.

    Parameters
    ----------
    source : Source
        The scene.
    seed : int
        Seed of the run.
    share : float
        Part of the budget, when several scenes are fitted together.

    Returns
    -------
    list of Patch
        In lattice order.
    """
    height, width = source.height, source.width
    budget = max(1, int(pixel_budget(height, width) * share))
    if budget >= height * width:
        return _read(source, [Box(0, height, 0, width)])
    budget = int((1 - RESERVE) * budget)
    order = _order(height, width, PATCH, seed)
    patches: list[Patch] = []
    pixels = valid = rounds = 0
    while pixels < height * width and (not pixels or valid < ENOUGH * pixels) and (rounds < ROUNDS or not valid):
        new = _read(source, _fill(order, budget))
        patches += new
        pixels += sum(patch.box.height * patch.box.width for patch in new)
        valid += sum(int(np.isfinite(patch.spectra).any(axis=0).sum()) for patch in new)
        rounds += 1
    return sorted(patches, key=lambda patch: patch.box)


def top_up(source: Source, seed: int, patches: Sequence[Patch], useful: float, *, share: float = 1.0) -> list[Patch]:
    """Read more patches in place of pixels that turned out useless: nodata, cloud, glint, faults.

    Without them a cloudy scene would be learnt from fewer pixels, and its endmembers would be noisier.

    Parameters
    ----------
    source : Source
        The scene.
    seed : int
        Seed of the run.
    patches : sequence of Patch
        What `draw` returned.
    useful : float
        Share of their pixels that can be learnt from.
    share : float
        As for `draw`.

    Returns
    -------
    list of Patch
        The new ones, in lattice order; none when the whole scene was drawn.
    """
    height, width = source.height, source.width
    budget = int(pixel_budget(height, width) * share)
    read = sum(patch.box.height * patch.box.width for patch in patches)
    wanted = min(budget - read, int(read * (1 - useful) / max(useful, 1e-9)))
    known = {patch.box for patch in patches}
    if wanted < PATCH * PATCH or Box(0, height, 0, width) in known:
        return []
    unread = (box for box in _order(height, width, PATCH, seed) if box not in known)
    return _read(source, sorted(_fill(unread, wanted)))


def _fill(order: Iterator[Box], budget: int) -> list[Box]:
    boxes, pixels = [], 0
    for box in order:
        boxes.append(box)
        pixels += box.height * box.width
        if pixels + PATCH * PATCH > budget:
            break
    return boxes


def _read(source: Source, boxes: Sequence[Box]) -> list[Patch]:
    return [Patch(box, *values) for box, values in zip(boxes, source.read_many(boxes), strict=True)]
