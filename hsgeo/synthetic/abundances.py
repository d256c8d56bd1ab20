"""Procedural landscapes: abundance fields with parcels, ragged woods, a river, roads and sub-pixel edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.synthetic.fractal import Fractal

__all__ = ["AbundanceField"]

_PURE = 0.5  # share of parcels of one material: enough pure pixels of each for blind extraction to be fair
_RIM = 2  # cells drawn beyond the scene's edge: a warped pixel looks at most one cell further than its neighbours


@dataclass(frozen=True)
class AbundanceField:
    """A landscape with known abundances, evaluated by blocks of rows of any size.

    It is drawn on a grid `oversample` times finer and area-averaged, so that every edge runs through
    mixed pixels. Parcels (a warped Voronoi mosaic) are pure or mixtures of two or three materials
    with fractal shares; a river and narrow roads cross them. Abundances are non-negative and sum
    to one; absent materials are exactly 0.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    endmembers : int
        Number of materials, at least 1.
    seed : int
        Seed of the landscape.
    parcel : float, optional
        Typical side of a parcel in pixels; by default a tenth of the shorter side, at least 12,
        and less where the scene is too small to show every material.
    oversample : int
        Fine cells per pixel side.
    river, road : int or None
        Material of the river (3 pixels or wider) and of the roads (below one pixel); None: without.
    """

    height: int
    width: int
    endmembers: int
    seed: int = 0
    parcel: float | None = None
    oversample: int = 4
    river: int | None = None
    road: int | None = None

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.endmembers, self.oversample) < 1:
            raise ConfigError(
                f"an abundance field of {self.height} x {self.width} pixels, {self.endmembers} endmembers, "
                f"oversample {self.oversample}",
                "at least 1 each",
            )
        for name, value in (("river", self.river), ("road", self.road)):
            if value is not None and not 0 <= value < self.endmembers:
                raise ConfigError(f"{name}={value} with {self.endmembers} endmembers", "an endmember's index or None")

    @cached_property
    def side(self) -> float:
        """Side of a parcel in pixels."""
        if self.parcel is not None:
            return float(self.parcel)
        # 2.5 parcels per material leave at least one pure parcel each at the share of _PURE
        fits = np.sqrt(self.height * self.width / (2.5 * self.endmembers))
        return float(max(min(max(min(self.height, self.width) / 10, 12.0), fits), 1.0))

    @cached_property
    def _cells(self) -> dict[str, np.ndarray]:
        """Draw the parcels: jittered centres, their materials and the way they mix."""
        rng = np.random.default_rng([self.seed, 0xCE11])
        shape = tuple(int(np.ceil(n / self.side)) + 2 * _RIM for n in (self.height, self.width))
        count = shape[0] * shape[1]
        inner = np.zeros(shape, bool)
        inner[_RIM:-_RIM, _RIM:-_RIM] = True
        pure = rng.random(count) < _PURE
        here = np.flatnonzero(inner.ravel())
        short = self.endmembers - int(pure[here].sum())
        if short > 0:  # tiny scenes: make room for one pure parcel of each material
            pure[rng.permutation(here[~pure[here]])[:short]] = True
        # materials dealt like cards, a new shuffled deck every `endmembers` pure parcels: each is met everywhere
        decks = -(-count // self.endmembers)
        cards = np.concatenate([rng.permutation(self.endmembers) for _ in range(decks)])
        first = rng.integers(0, self.endmembers, count)
        order = np.flatnonzero(pure & inner.ravel())
        first[order] = cards[: order.size]
        step = rng.integers(1, max(self.endmembers, 2), (2, count))
        second = (first + step[0]) % self.endmembers
        third = (first + step[1]) % self.endmembers
        return {
            "y": rng.uniform(0.15, 0.85, shape).astype(
                np.float32
            ),  # kept off the cell's border, so that nearest centres are within one cell
            "x": rng.uniform(0.15, 0.85, shape).astype(np.float32),
            "materials": np.stack([first, second, third]).reshape(3, *shape),
            "pure": pure.reshape(shape),
            "fine": (rng.random(count) < 0.4).reshape(shape),  # 0.4: a good part town-like, the rest broad gradients
        }

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Draw rows ``start ... stop``; whatever the blocks, a pixel gets the same values.

        Parameters
        ----------
        start, stop : int
            Rows, ``0 <= start < stop <= height``.

        Returns
        -------
        numpy.ndarray
            Abundances ``(endmember, stop - start, width)`` float32.
        """
        if not 0 <= start < stop <= self.height:
            raise ConfigError(
                f"rows {start} ... {stop} of a field of {self.height} rows", "0 <= start < stop <= height"
            )
        k = self.oversample
        y = (np.arange(start * k, stop * k)[:, None] + 0.5) / k
        x = (np.arange(self.width * k)[None, :] + 0.5) / k
        fine = self._draw(y, x)
        out = np.zeros((self.endmembers, stop - start, self.width), np.float32)
        for i in range(k):  # summed in a fixed order: numpy's own reductions depend on the shape
            for j in range(k):
                out += fine[:, i::k, j::k]
        total = out[0].copy()
        for layer in out[1:]:
            total += layer
        return out / total

    def _draw(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the abundances at positions in pixels: ``(endmember, y, x)``."""
        nearest = self._nearest(y, x)
        cells = self._cells
        broad = Fractal(self.seed + 1, 0.8 * self.side, 5)(y, x)
        town = Fractal(self.seed + 2, 3.0, 3, 0.8)(y, x)  # 3 pixels: houses and gardens
        other = Fractal(self.seed + 3, 0.8 * self.side, 5)(y, x)
        share = np.where(cells["fine"][nearest], town, broad)
        one = np.clip(0.5 + 1.1 * share, 0, 1)  # 1.1: a third of the parcel reaches 0 or 1
        two = (1 - one) * np.clip(0.5 + 1.1 * other, 0, 1)
        pure = cells["pure"][nearest]
        one[pure], two[pure] = 1, 0
        shares = (one, two, 1 - one - two)
        materials = cells["materials"][(slice(None), *nearest)]
        out = np.zeros((self.endmembers, *one.shape), np.float32)
        for material, part in zip(materials, shares, strict=True):
            for index in range(self.endmembers):
                np.add(out[index], part, out=out[index], where=material == index)
        for feature, line in ((self.river, self._river), (self.road, self._roads)):
            if feature is not None:
                on = line(y, x)
                out[:, on] = 0
                out[feature, on] = 1
        return np.maximum(out, 0, out=out)  # 1 - one - two can fall below 0 by rounding

    def _nearest(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the parcel of every position: nearest centre after a warp that comes and goes."""
        cells = self._cells
        wild = np.clip(1.5 * Fractal(self.seed + 4, 4 * self.side, 2)(y, x) + 0.4, 0, 1)  # 0: fields, 1: woods
        v = (
            (y / self.side).astype(np.float32)
            + 0.45 * wild * Fractal(self.seed + 5, 0.6 * self.side, 5, 0.55)(y, x)
            + _RIM
        )
        u = (
            (x / self.side).astype(np.float32)
            + 0.45 * wild * Fractal(self.seed + 6, 0.6 * self.side, 5, 0.55)(y, x)
            + _RIM
        )
        rows, cols = cells["y"].shape
        base_v = np.clip(np.floor(v).astype(np.int32), 1, rows - 2)
        base_u = np.clip(np.floor(u).astype(np.int32), 1, cols - 2)
        best = np.full(v.shape, np.inf, np.float32)
        row, col = base_v.copy(), base_u.copy()
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                r, c = base_v + i, base_u + j
                far = np.square(r + cells["y"][r, c] - v) + np.square(c + cells["x"][r, c] - u)
                nearer = far < best
                best = np.where(nearer, far, best)
                row, col = np.where(nearer, r, row), np.where(nearer, c, col)
        return row, col

    @cached_property
    def _lines(self) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, 0x11E5])
        return {
            "angle": rng.uniform(0, np.pi),
            "phase": rng.uniform(0, 2 * np.pi),
            "phase2": rng.uniform(0, 2 * np.pi),
            "offset": rng.uniform(-0.15, 0.15),
            "road": rng.uniform(0, np.pi),
        }

    def _along(self, y: np.ndarray, x: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
        """Rotate positions about the scene's centre: along and across a line."""
        v, u = y - self.height / 2, x - self.width / 2
        return np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u

    def _river(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Tell where the river runs: two meanders on a slanted line, 3 pixels or wider."""
        line, size = self._lines, float(min(self.height, self.width))
        along, across = self._along(y, x, line["angle"])
        bend = 2 * np.pi * along / (0.9 * size)
        centre = size * (
            line["offset"] + 0.10 * np.sin(bend + line["phase"]) + 0.03 * np.sin(2.7 * bend + line["phase2"])
        )
        width = max(3.0, 0.022 * size) * (1 + 0.25 * np.sin(0.6 * bend + line["phase2"]))
        return np.abs(across - centre) < width / 2

    def _roads(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Tell where the roads run: two nearly straight lines 0.7 pixels wide, never pure."""
        line, size = self._lines, float(min(self.height, self.width))
        on = np.zeros(np.broadcast_shapes(y.shape, x.shape), bool)
        for angle, offset in ((line["road"], 0.21), (line["road"] + 1.3, -0.17)):
            along, across = self._along(y, x, angle)
            centre = size * (offset + 0.02 * np.sin(2 * np.pi * along / (1.4 * size)))
            on |= np.abs(across - centre) < 0.35
        return on
