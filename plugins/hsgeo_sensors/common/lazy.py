"""The lazy array all readers hand out: opens its file for each read, reads the window asked for, keeps nothing."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from hsgeo.errors import SceneError

__all__ = ["LazyRaster", "decode"]


class LazyRaster(BackendArray):
    """A raster in a file, ``(band, y, x)`` or ``(y, x)``, that reads what is indexed and no more.

    Picklable and safe in threads, because no handle outlives a read. Bands are read as listed; rows and columns as
    the smallest box that holds those asked for.

    Parameters
    ----------
    path : pathlib.Path
        The file, opened anew for each read.
    shape : tuple of int
        ``(bands, rows, columns)`` or ``(rows, columns)``.
    dtype : numpy dtype
        Of the decoded values.
    """

    known: int | None = None
    """Of quality bits: which of them this raster can have, as far as it has a source for them; None: not said."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype | type = np.float32) -> None:
        self.path = Path(path).absolute()
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        status = self.path.stat()
        self.stamp = (status.st_size, status.st_mtime_ns)

    @abstractmethod
    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and decode one window.

        Parameters
        ----------
        bands : numpy.ndarray of int, shape (n,), or None
            0-based positions in the file, in the order wanted; None for a raster without bands.
        rows, cols : tuple of int
            First and one past the last, within the raster, never empty.

        Returns
        -------
        numpy.ndarray
            ``(n, rows, cols)`` or ``(rows, cols)`` of ``self.dtype``.
        """

    def __dask_tokenize__(self) -> tuple[object, ...]:
        state = {key: value for key, value in vars(self).items() if not isinstance(value, np.ndarray)}
        arrays = {key: value.tobytes() for key, value in vars(self).items() if isinstance(value, np.ndarray)}
        return (type(self).__qualname__, repr(sorted(state.items())), repr(sorted(arrays.items())))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        if isinstance(key, (indexing.BasicIndexer, indexing.OuterIndexer)):
            return self._outer(key.tuple)  # in any order: sorting it, as xarray does, would mean to copy all afterwards
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> np.ndarray:
        wanted = [_positions(item, size) for item, size in zip(key, self.shape, strict=True)]
        lengths = [len(positions) for positions in wanted]
        if 0 in lengths:
            block = np.empty(lengths, self.dtype)
        else:
            *first, rows, cols = wanted
            box = [(int(p.min()), int(p.max()) + 1) for p in (rows, cols)]
            try:
                block = self.window(first[0] if first else None, box[0], box[1])
            except SceneError:  # says what is wrong already; it is a ValueError too
                raise
            except (OSError, EOFError, KeyError, ValueError, RuntimeError, zlib.error) as error:
                raise SceneError(
                    f"{self.path} could not be read at rows {box[0][0]}-{box[0][1]}, columns {box[1][0]}-{box[1][1]}: "
                    f"{error}",
                    "the file as it was when it was opened",
                    "Check that it is complete and was not moved or changed meanwhile",
                ) from error
            for axis, positions, (low, high) in ((-2, rows, box[0]), (-1, cols, box[1])):
                if len(positions) != high - low or (np.diff(positions) != 1).any():
                    block = np.take(block, positions - low, axis=axis)
        return block[tuple(0 if isinstance(item, (int, np.integer)) else slice(None) for item in key)]


def _positions(item: Any, size: int) -> np.ndarray:
    """Turn an int, slice or 1-D array into absolute positions."""
    if isinstance(item, slice):
        return np.arange(size)[item]
    positions = np.atleast_1d(np.asarray(item))
    if positions.dtype == bool:
        return np.flatnonzero(positions)
    return np.where(positions < 0, positions + size, positions).astype(np.intp)


def decode(raw: np.ndarray, gain: np.ndarray, offset: np.ndarray, nodata: float | None) -> np.ndarray:
    """Turn stored numbers into physical ones, band by band: ``raw * gain + offset``, rounded once to float32.

    Parameters
    ----------
    raw : numpy.ndarray, shape (n, rows, columns)
        As stored.
    gain, offset : numpy.ndarray, shape (n,)
        Float64, of the bands in ``raw``.
    nodata : float or None
        Stored value that means nothing was measured. Infinities and NaN always mean that.

    Returns
    -------
    numpy.ndarray, shape (n, rows, columns), float32
        NaN where there is no value.
    """
    out = np.empty(raw.shape, np.float32)
    floating = raw.dtype.kind == "f"
    with np.errstate(over="ignore", invalid="ignore"):  # wild numbers become infinite and then NaN
        for k, plane in enumerate(raw):
            out[k] = np.multiply(plane, gain[k], dtype=np.float64) + offset[k]
            if nodata is not None:
                out[k][plane == nodata] = np.nan
            if floating:
                out[k][~np.isfinite(out[k])] = np.nan
    return out
