"""The pixels of a PRISMA granule, window by window: values, latitudes and longitudes.

Level 2D is stored (row, band, column). Levels 1, 2B and 2C are stored (sample, band, line): the file's tables of centre
wavelengths by sample run along its first axis. They are handed out as (line, last sample to first), which is a turn by
90 degrees without mirroring: lines run down, as in the scenes of other pushbroom sensors, and the picture of a daytime
pass, which is flown to the south, has north at the top and east at the right, about. Latitudes and longitudes turn with
the pixels, so that their places do not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hsgeo_sensors.lazy import LazyRaster
from hsgeo_sensors.prisma_levels import DETECTORS, Contents

__all__ = ["Cube", "Granular", "Place", "blank"]

BANDS = 8  # scaled at once: 512 kB of a 128 x 128 window, which stay in the cache between the two steps
AT_ONCE = 64 * 2**20  # bytes read at once where whole spectra are looked through


class Granular(LazyRaster):
    """What the rasters of a granule share: the granule and how its axes lie.

    Parameters
    ----------
    about : Contents
        The granule.
    shape : tuple of int
        Of the raster.
    dtype : type
        Of its values.
    """

    def __init__(self, about: Contents, shape: tuple[int, ...], dtype: type) -> None:
        super().__init__(about.source.path, shape, dtype)
        self.source, self.level, self.stored, self.slots = about.source, about.level, about.stored, about.slots
        self.keep, self.err = about.keep, about.err

    def _open(self) -> Any:
        import h5py

        return h5py.File(self.source.file(), "r", locking=False)

    def _sides(self, rows: tuple[int, int], cols: tuple[int, int]) -> tuple[slice, slice]:
        """Return where a window of the scene lies on the first and last axis of the file."""
        if self.level.mapped:
            return slice(*rows), slice(*cols)
        samples = self.stored[0]
        return slice(samples - cols[1], samples - cols[0]), slice(*rows)

    def _turn(self, block: np.ndarray) -> np.ndarray:
        """Turn what was read from there, with bands in the middle or without, into ([band,] row, column)."""
        if self.level.mapped:
            return block if block.ndim == 2 else block.transpose(1, 0, 2)
        return block[::-1].T if block.ndim == 2 else block[::-1].transpose(1, 2, 0)

    def _kept(self, d: int) -> np.ndarray:
        """Return the acquired slots of a detector."""
        return np.flatnonzero(self.keep[self.slots[0] * d :][: self.slots[d]])


class Cube(Granular):
    """Reflectance or radiance, both detectors one after the other.

    Parameters
    ----------
    about : Contents
        The granule.
    """

    def __init__(self, about: Contents) -> None:
        super().__init__(about, (sum(about.slots), *about.shape), np.float32)
        self.scale = about.scale

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box from each cube that is needed and scale it.

        Parameters
        ----------
        bands : numpy.ndarray of int, shape (n,)
            Slots, those of the SWIR after those of the VNIR.
        rows, cols : tuple of int
            First and one past the last.

        Returns
        -------
        numpy.ndarray, shape (n, rows, columns), float32
            NaN where there is no measurement.
        """
        assert bands is not None
        out = np.empty((len(bands), rows[1] - rows[0], cols[1] - cols[0]), np.float32)
        first, last = self._sides(rows, cols)
        dark = np.ones(out.shape[1:], bool)
        with self._open() as file:
            fields = file[self.level.fields]
            for d, name in enumerate(DETECTORS):
                start = self.slots[0] * d
                targets = np.flatnonzero((bands >= start) & (bands < start + self.slots[d]))
                if not len(targets):
                    continue
                slots = bands[targets] - start
                low = slots.min()
                box = first, slice(low, slots.max() + 1), last
                stored = fields[f"{name.upper()}_Cube"][box]
                codes = fields[f"{name.upper()}_{self.level.err}"][box] if self.err else None
                lost = self.level.unusable(stored, codes)
                gain, shift = self.level.line(self.scale[d])
                there, picked = _run(targets), _run(slots - low)
                part = out[there]  # of `out` itself where bands are asked for in the file's order, as xarray does
                turned = self._turn(stored[:, picked])
                for k in range(0, len(part), BANDS):
                    np.multiply(turned[k : k + BANDS], gain, out=part[k : k + BANDS], dtype=np.float32)
                    part[k : k + BANDS] += shift
                if lost.any():
                    part[self._turn(lost[:, picked])] = np.nan
                if not isinstance(there, slice):
                    out[there] = part
                if self.level.name == "1":
                    dark &= self._turn(stored.max(axis=1) == 0)
            if self.level.name == "1" and dark.any():
                out[:, blank(self, file, rows, cols, dark)] = np.nan
        return out


def _run(positions: np.ndarray) -> slice | np.ndarray:
    """Return a slice where positions follow each other: it makes a view, and all bands are scaled at once."""
    return slice(positions[0], positions[-1] + 1) if (np.diff(positions) == 1).all() else positions


class Place(Granular):
    """Latitude or longitude of the pixel centres of a sensor grid, degrees.

    Parameters
    ----------
    about : Contents
        The granule.
    axis : {0, 1}
        Latitude, longitude.
    """

    def __init__(self, about: Contents, axis: int) -> None:
        super().__init__(about, about.shape, np.float64)
        self.name, self.limit = about.level.places[axis], (90.0, 180.0)[axis]

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a box.

        Parameters
        ----------
        bands : None
            There are none.
        rows, cols : tuple of int
            First and one past the last.

        Returns
        -------
        numpy.ndarray, shape (rows, columns), float64
            NaN where it is no angle on the Earth.
        """
        with self._open() as file:
            box = self._sides(rows, cols)
            values = file[f"{self.level.swath}/Geolocation Fields/{self.name}"][box].astype(np.float64)
        values[~(np.abs(values) <= self.limit)] = np.nan
        return np.ascontiguousarray(self._turn(values))


def blank(
    raster: Granular, file: Any, rows: tuple[int, int], cols: tuple[int, int], suspects: np.ndarray
) -> np.ndarray:
    """Tell which of the suspected pixels are 0 in all acquired bands of both detectors.

    Parameters
    ----------
    raster : Granular
        Of the granule.
    file : h5py.File
        The granule, open.
    rows, cols : tuple of int
        The window.
    suspects : numpy.ndarray of bool, shape (rows, columns)
        Pixels that are 0 in some bands.

    Returns
    -------
    numpy.ndarray of bool, shape (rows, columns)
        Those that are 0 in all of them.
    """
    out = np.zeros_like(suspects)
    across = np.flatnonzero(suspects.any(axis=0))
    if not len(across):
        return out
    low, high = across[0], across[-1] + 1
    step = max(1, AT_ONCE // (2 * (high - low) * max(raster.slots)))
    down = np.flatnonzero(suspects.any(axis=1))
    for row in range(down[0], down[-1] + 1, step):
        part = slice(row, min(row + step, down[-1] + 1))
        empty = suspects[part, low:high].copy()
        first, last = raster._sides((rows[0] + part.start, rows[0] + part.stop), (cols[0] + low, cols[0] + high))
        for d, name in enumerate(DETECTORS):
            kept = raster._kept(d)
            if len(kept) and empty.any():
                box = first, slice(kept[0], kept[-1] + 1), last
                empty &= raster._turn(~file[raster.level.fields][f"{name.upper()}_Cube"][box].any(axis=1))
        out[part, low:high] = empty
    return out
