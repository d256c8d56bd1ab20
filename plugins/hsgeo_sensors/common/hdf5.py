"""Bands of a cube in an HDF5 file, read so that no chunk is inflated twice, and none that nobody asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import SceneError

__all__ = ["check_unscaled", "is_variable", "open_hdf5", "read_bands", "read_into", "sides_of_chunks", "text_of_value"]

DIMENSION = "This is a netCDF dimension but not a netCDF variable"  # written by the netCDF library, with the length


def open_hdf5(path: Path, wanted: str | None = None, *, sieve: int | None = None) -> Any:
    """Open an HDF5 file for reading, without locks (network file systems have none).

    Where this process has the file open already with locks, as notebooks do, HDF5 insists on the same for all.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : str, optional
        What it should be, for the message; None: the caller makes one of HDF5's own error.
    sieve : int, optional
        Bytes of a contiguous dataset that HDF5 fetches at once to pick a window from; None: its own 64 kB.

    Returns
    -------
    h5py.File
        To be closed by the caller.

    Raises
    ------
    SceneError
        If it is no HDF5 file, or an incomplete one.
    OSError
        The same, where nothing is ``wanted``.
    """
    import h5py

    for locking in (False, None, True):
        try:
            if sieve is None:
                return h5py.File(path, "r", locking=locking)
            how = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
            how.set_fclose_degree(h5py.h5f.CLOSE_STRONG)  # as h5py does
            how.set_sieve_buf_size(sieve)
            if locking is not None:
                how.set_file_locking(locking, False)
            return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, how))
        except OSError as error:
            if locking is not True and "flag values don't match" in str(error):
                continue
            if wanted is None:
                raise
            raise SceneError(
                f"{path} is not a complete HDF5 file: {error}", wanted, "Download or copy it again"
            ) from error
    raise AssertionError("unreachable")


def sides_of_chunks(dataset: Any, rows: int, cols: int) -> tuple[int, int] | None:
    """Return the rows and columns of the chunks of a dataset, as `assemble` wants them.

    Parameters
    ----------
    dataset : h5py.Dataset or zarr.Array
        A cube.
    rows, cols : int
        Which of its axes are rows and columns.

    Returns
    -------
    tuple of int or None
        None where it is stored in one piece.
    """
    return None if dataset.chunks is None else (int(dataset.chunks[rows]), int(dataset.chunks[cols]))


def read_bands(
    dataset: Any, bands: np.ndarray, rows: tuple[int, int], cols: tuple[int, int], *, axis: int
) -> np.ndarray:
    """Read a window of some bands in as few reads as the layout of the chunks allows.

    A run of bands is one read, in which HDF5 touches every chunk once. A gap is skipped only where whole chunks lie in
    it; two reads that share a chunk would inflate it twice, because nothing is kept between them.

    Parameters
    ----------
    dataset : h5py.Dataset
        Three axes; the one of the bands is ``axis``, the other two are rows and columns.
    bands : numpy.ndarray of int, shape (n,)
        Positions in the file, in the order wanted, at least one.
    rows, cols : tuple of int
        First and one past the last.
    axis : {0, 2}
        The axis of the bands.

    Returns
    -------
    numpy.ndarray
        ``(n, rows, cols)`` for axis 0, ``(rows, cols, n)`` for axis 2, as stored.
    """
    wanted = np.unique(bands)
    step = dataset.chunks[axis] if dataset.chunks else 1
    cut = np.flatnonzero(np.diff(wanted // step) > 1) + 1
    parts = []
    for run in np.split(wanted, cut):
        span = slice(int(run[0]), int(run[-1]) + 1)
        box = (span, slice(*rows), slice(*cols)) if axis == 0 else (slice(*rows), slice(*cols), span)
        read = dataset[box]
        parts.append(read if len(run) == span.stop - span.start else np.take(read, run - run[0], axis=axis))
    values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)
    if np.array_equal(wanted, bands):
        return values
    return np.take(values, np.searchsorted(wanted, bands), axis=axis)


def read_into(dataset: Any, start: tuple[int, ...], out: np.ndarray) -> None:
    """Read a box into memory that is there already; of many small reads, h5py's own way to say so takes a tenth.

    Parameters
    ----------
    dataset : h5py.Dataset
        To read from.
    start : tuple of int
        First number of the box along each axis.
    out : numpy.ndarray
        Of the box's shape, in one piece.
    """
    import h5py

    box = dataset.id.get_space()
    box.select_hyperslab(start, out.shape)
    dataset.id.read(h5py.h5s.create_simple(out.shape), box, out)


def text_of_value(value: Any) -> str:
    """Return an attribute or a scalar dataset's value as text.

    Parameters
    ----------
    value : object
        Bytes, a string, or an array of one.

    Returns
    -------
    str
        Without blanks and zeros at its ends.
    """
    value = value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip("\0 \n")


def is_variable(item: Any) -> bool:
    """Tell a variable from a mere dimension, which netCDF-4 stores as a dataset of zeros under the dimension's name.

    Parameters
    ----------
    item : h5py.Dataset or h5py.Group
        Anything in a file.

    Returns
    -------
    bool
        False for a dimension without numbers of its own.
    """
    return DIMENSION not in text_of_value(item.attrs.get("NAME", ""))


def check_unscaled(dataset: Any) -> None:
    """Refuse a dataset with a scale or an offset, where the product's layout has none: its numbers mean something else.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of floats in physical units.

    Raises
    ------
    SceneError
        If ``scale_factor`` is not 1 or ``add_offset`` is not 0.
    """
    scale, offset = (float(np.ravel(dataset.attrs.get(name, plain))[0]) for name, plain in _PLAIN.items())
    if (scale, offset) != tuple(_PLAIN.values()):
        raise SceneError(
            f"{dataset.file.filename} has {dataset.name} with scale_factor {scale:g} and add_offset {offset:g}",
            "numbers in physical units, as in the product's layout",
            "Open it with --reader cf, which applies them, if they are right",
        )


_PLAIN = {"scale_factor": 1.0, "add_offset": 0.0}
