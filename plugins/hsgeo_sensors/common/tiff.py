"""One way to open, check and read a GeoTIFF."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["last_byte", "open_tiff", "read_tiff"]

_filters = threading.Lock()


def open_tiff(path: Path, *, quiet: bool = True) -> Any:
    """Open a GeoTIFF for reading, on its own handle: GDAL's datasets are not safe in threads.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    quiet : bool
        Without the warning for rasters that are not georeferenced, which is legal here. Warning filters belong to the
        whole process, so they are touched only where the warning would come, one at a time.

    Returns
    -------
    rasterio.DatasetReader
        To be closed by the caller.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    if not quiet:
        return rasterio.open(path, driver="GTiff", sharing=False)
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, driver="GTiff", sharing=False)


def last_byte(file: Any) -> int:
    """Return where the last blocks of a few bands end: a TIFF that was cut may have its index in front, intact.

    Parameters
    ----------
    file : rasterio.DatasetReader
        From `open_tiff`.

    Returns
    -------
    int
        Bytes that the file must have at least; blocks that hold nodata only may be left out, and say nothing.
    """
    high, wide = file.block_shapes[0]
    down, across = (file.height - 1) // high, (file.width - 1) // wide
    ends = [0]
    for band in {1, (file.count + 1) // 2, file.count}:
        for x, y in {(0, 0), (across, 0), (0, down), (across, down)}:
            said = [file.get_tag_item(f"BLOCK_{what}_{x}_{y}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")]
            if None not in said:
                ends.append(int(said[0]) + int(said[1]))
    return max(ends)


def read_tiff(
    path: Path, bands: list[int], rows: tuple[int, int], cols: tuple[int, int], *, quiet: bool = True
) -> np.ndarray:
    """Read one window of some bands in one call: bands may be interleaved by pixel, and compressed.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    bands : list of int
        From 1.
    rows, cols : tuple of int
        First and one past the last.
    quiet : bool
        As of `open_tiff`.

    Returns
    -------
    numpy.ndarray, shape (n, rows, columns)
        As stored.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    try:
        with open_tiff(path, quiet=quiet) as file:
            return file.read(bands, window=Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]))
    except RasterioError as error:
        raise OSError(f"{path.name}: {error}") from error
