"""The pixels of a PRISMA granule, window by window: values, latitudes and longitudes.

Level 2D is stored (row, band, column). Levels 1, 2B and 2C are stored (sample, band, line): the file's tables of centre
wavelengths by sample run along its first axis. They are handed out as (line, last sample to first), which is a turn by
90 degrees without mirroring: lines run down, as in the scenes of other pushbroom sensors, and the picture of a daytime
pass, which is flown to the south, has north at the top and east at the right, about. Latitudes and longitudes turn with
the pixels, so that their places do not depend on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from hsgeo_sensors.common.hdf5 import open_hdf5, read_into
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.prisma.levels import DETECTORS, Contents

__all__ = ["Cube", "Granular", "Place", "blank"]

PART = 1 << 19  # numbers read and scaled at once: a megabyte and the half of one for their codes
SIEVE = 1 << 19  # bytes: a row of all bands; windows come a tenth faster than with HDF5's own 64 kB
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

    def opened(self) -> Any:
        """Open the granule; to be closed by the caller."""
        return open_hdf5(self.source.file(), sieve=SIEVE)

    def sides(self, rows: tuple[int, int], cols: tuple[int, int]) -> tuple[slice, slice]:
        """Return where a window of the scene lies on the first and last axis of the file."""
        if self.level.mapped:
            return slice(*rows), slice(*cols)
        samples = self.stored[0]
        return slice(samples - cols[1], samples - cols[0]), slice(*rows)

    def turn(self, block: np.ndarray) -> np.ndarray:
        """Turn what was read from there, with bands in the middle or without, into ([band,] row, column)."""
        if self.level.mapped:
            return block if block.ndim == 2 else block.transpose(1, 0, 2)
        return block[::-1].T if block.ndim == 2 else block[::-1].transpose(1, 2, 0)

    def kept(self, d: int) -> np.ndarray:
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
        first, last = self.sides(rows, cols)
        # axes as in the file: turned at the end, as a view, because turning costs more than scaling
        out = np.empty((first.stop - first.start, len(bands), last.stop - last.start), np.float32)
        dark = np.ones((len(out), out.shape[2]), bool)
        with self.opened() as file:
            fields = self.level.fields
            for d, name in enumerate(DETECTORS):
                start = self.slots[0] * d
                targets = np.flatnonzero((bands >= start) & (bands < start + self.slots[d]))
                if not len(targets):
                    continue
                slots = bands[targets] - start
                span = slice(int(slots.min()), int(slots.max()) + 1)
                runs = list(_runs(targets, slots - span.start))
                gain, shift = self.level.line(self.scale[d])
                errors = file[f"{fields}/{name.upper()}_{self.level.err}"] if self.err else None
                for part, stored, codes in _parts(file[f"{fields}/{name.upper()}_Cube"], errors, first, span, last):
                    lost, to = self.level.unusable(stored, codes), out[part]
                    for there, here in runs:
                        values = to[:, there]
                        np.multiply(stored[:, here], gain, out=values, dtype=np.float32)
                        values += shift
                        if lost is not None:
                            np.copyto(values, np.nan, where=lost[:, here])
                    if self.level.name == "1" and dark[part].any():
                        zero = stored[:, slots[0] - span.start] == 0  # rarely is there a need to look at all bands
                        dark[part] &= stored.max(axis=1) == 0 if zero.any() else zero
            turned = self.turn(out)
            if self.level.name == "1" and dark.any():
                turned[:, blank(self, file, rows, cols, self.turn(dark))] = np.nan
        return turned


def _parts(
    cube: Any, errors: Any, first: slice, span: slice, last: slice
) -> Iterator[tuple[slice, np.ndarray, np.ndarray | None]]:
    """Read a box in slabs that stay in the cache until they are scaled, always into the same memory.

    Parameters
    ----------
    cube : h5py.Dataset
        Numbers.
    errors : h5py.Dataset or None
        Their error codes.
    first, span, last : slice
        The box.

    Yields
    ------
    tuple of slice, numpy.ndarray, numpy.ndarray or None
        Where the slab lies on the first axis of the box, its numbers and their codes, both until the next one is read.
    """
    size, inner = first.stop - first.start, (span.stop - span.start, last.stop - last.start)
    step = min(size, max(1, PART // (inner[0] * inner[1])))
    numbers = np.empty((step, *inner), cube.dtype)
    codes = None if errors is None else np.empty((step, *inner), errors.dtype)
    for low in range(0, size, step):
        part = slice(low, min(low + step, size))
        start = first.start + low, span.start, last.start
        stored = numbers[: part.stop - low]
        read_into(cube, start, stored)
        found = None if codes is None else codes[: part.stop - low]
        if found is not None:
            read_into(errors, start, found)
        yield part, stored, found


def _runs(targets: np.ndarray, slots: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Cut two lists of positions where either does not go on by steps of one; the second may run backwards."""
    steps = np.diff(slots)
    cut = np.flatnonzero((np.diff(targets) != 1) | (np.abs(steps) != 1)) + 1
    turns = np.flatnonzero(np.diff(steps) != 0) + 2  # from forwards to backwards
    edges = np.unique([0, *cut, *turns, len(slots)])
    for low, high in itertools.pairwise(edges):
        first, last = int(slots[low]), int(slots[high - 1])
        here = slice(first, last + 1) if last >= first else slice(first, last - 1 if last else None, -1)
        yield slice(int(targets[low]), int(targets[high - 1]) + 1), here


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
        with self.opened() as file:
            box = self.sides(rows, cols)
            values = file[f"{self.level.swath}/Geolocation Fields/{self.name}"][box].astype(np.float64)
        values[~(np.abs(values) <= self.limit)] = np.nan
        return np.ascontiguousarray(self.turn(values))


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
        first, last = raster.sides((rows[0] + part.start, rows[0] + part.stop), (cols[0] + low, cols[0] + high))
        for d, name in enumerate(DETECTORS):
            kept = raster.kept(d)
            if len(kept) and empty.any():
                box = first, slice(kept[0], kept[-1] + 1), last
                empty &= raster.turn(~file[raster.level.fields][f"{name.upper()}_Cube"][box].any(axis=1))
        out[part, low:high] = empty
    return out
