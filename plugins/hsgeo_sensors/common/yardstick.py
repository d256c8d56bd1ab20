"""Made-up ground for files of full size, and windows of HDF5 and GDAL files as their own libraries read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ground", "hdf5_window", "raster_window", "spread"]

STEP = 64  # rows made at once
LEVELS = 512  # different values a band has: real ones have some hundreds of counts, which is what packing depends on


def ground(bands: int, shape: tuple[int, int], *, swath: bool = False, bright: float = 0.3) -> Iterator[np.ndarray]:
    """Make spectra, some rows at a time.

    Parameters
    ----------
    bands : int
        How many.
    shape : tuple of int
        Rows and columns.
    swath : bool
        Whether there is nothing left and right of a slanting strip, as on map grids.
    bright : float
        Mean of the values.

    Yields
    ------
    numpy.ndarray, shape (band, rows, columns), float32
        From the first row on; NaN outside the strip.
    """
    rng = np.random.default_rng(0)
    spectrum = (1 + 0.5 * np.sin(np.linspace(0, 9, bands))).astype(np.float32)[:, None, None] * np.float32(bright)
    # one texture for all: random numbers for a whole granule would take longer than all measurements
    texture = np.rint(rng.random((8, STEP, shape[1]), np.float32) * LEVELS) / np.float32(LEVELS)
    column = np.arange(shape[1])
    for row in range(0, shape[0], STEP):
        rows = min(STEP, shape[0] - row)
        block = spectrum * (np.float32(0.5) + texture[np.arange(bands) % 8, :rows])
        if swath:
            edge = 0.15 * shape[1] * (row + np.arange(rows)) / shape[0]
            outside = (column < edge[:, None]) | (column > 0.85 * shape[1] + edge[:, None])
            block[:, outside] = np.nan
        yield block


def spread(**detectors: tuple[float, float, int]) -> dict[str, np.ndarray]:
    """Spread bands over the ranges of detectors.

    Parameters
    ----------
    **detectors : tuple of float, float and int
        First and last centre, nm, and number of bands, by name of the detector.

    Returns
    -------
    dict of str to numpy.ndarray, shape (band,)
        ``wavelength``, ``fwhm`` and ``detector``, as writers take them.
    """
    centres = [np.linspace(*limits) for limits in detectors.values()]
    return {
        "wavelength": np.concatenate(centres),
        "fwhm": np.concatenate([np.gradient(part) * 1.1 for part in centres]),
        "detector": np.repeat([*detectors], [len(part) for part in centres]),
    }


def hdf5_window(path: Path, boxes: Mapping[str, tuple[slice, ...]]) -> list[np.ndarray]:
    """Read a box from each of some datasets with h5py.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    boxes : mapping of str to tuple of slice
        By path of the dataset.

    Returns
    -------
    list of numpy.ndarray
        As stored.
    """
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        return [file[name][box] for name, box in boxes.items()]


def raster_window(paths: list[Path], rows: slice, cols: slice) -> list[np.ndarray]:
    """Read all bands of a window of some rasters with rasterio.

    Parameters
    ----------
    paths : list of pathlib.Path
        Files that GDAL opens.
    rows, cols : slice
        The window.

    Returns
    -------
    list of numpy.ndarray, shape (band, rows, columns)
        As stored.
    """
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    out: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for path in paths:
            with rasterio.open(path) as file:
                out.append(file.read(window=((rows.start, rows.stop), (cols.start, cols.stop))))
    return out
