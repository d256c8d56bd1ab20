"""One way to open, check and read a GeoTIFF."""

from __future__ import annotations

import struct
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import SceneError

__all__ = ["check_complete", "masked", "open_tiff", "read_mask", "read_tiff"]

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


def check_complete(file: Any, *, name: str, do: str) -> None:
    """Refuse a file whose end is missing: its directory, in front of the cut, is intact, and it opens.

    Parameters
    ----------
    file : rasterio.DatasetReader
        From `open_tiff`.
    name : str
        What it is, for messages.
    do : str
        What the user can do.

    Raises
    ------
    SceneError
        If tags, or the last blocks of a few bands, lie beyond its end.
    """
    path = Path(file.name)
    high, wide = file.block_shapes[0]
    down, across = (file.height - 1) // high, (file.width - 1) // wide
    end = _tags_end(path)
    for band in {1, (file.count + 1) // 2, file.count}:
        for x, y in {(0, 0), (across, 0), (0, down), (across, down)}:
            said = [file.get_tag_item(f"BLOCK_{what}_{x}_{y}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")]
            if None not in said:  # blocks that hold nodata only may be left out
                end = max(end, int(said[0]) + int(said[1]))
    if end > (size := path.stat().st_size):
        raise SceneError(f"{name} has {size} bytes, and its content goes on to byte {end}", "a complete GeoTIFF", do)


def _tags_end(path: Path) -> int:
    """Return where the values of the first directory's tags end: GDAL leaves out those that a cut took, silently.

    What that loses is wavelengths, the scale, the place.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
        count, entry, last = ("Q", "HHQQ", 8) if big else ("H", "HHII", 4)
        try:
            (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
            file.seek(start)
            (tags,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
            end = start + struct.calcsize(order + count) + tags * struct.calcsize(order + entry)
            for _, kind, number, where in struct.iter_unpack(order + entry, file.read(end - file.tell())):
                if (size := number * _SIZES.get(kind, 1)) > last:
                    end = max(end, where + size)
        except struct.error:  # cut within the directory itself, which GDAL does notice
            return 0
    return end


_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by the type of its tag, where it is not 1."""


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


def read_mask(
    path: Path, rows: tuple[int, int], cols: tuple[int, int], *, alpha: int | None = None, quiet: bool = True
) -> np.ndarray:
    """Read one window of the mask of a file: internal, ``.msk`` beside it, or an alpha band.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    rows, cols : tuple of int
        First and one past the last.
    alpha : int, optional
        Number of the alpha band, which GDAL takes for a mask in files of two or four bands only.
    quiet : bool
        As of `open_tiff`.

    Returns
    -------
    numpy.ndarray of bool, shape (rows, columns)
        True where nothing was measured.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    window = Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])
    try:
        with open_tiff(path, quiet=quiet) as file:
            return masked(file, window, alpha=alpha)
    except RasterioError as error:
        raise OSError(f"{path.name}: {error}") from error


def masked(file: Any, window: Any, *, alpha: int | None) -> np.ndarray:
    """Read one window of the mask of an open file.

    Parameters
    ----------
    file : rasterio.DatasetReader
        From `open_tiff`.
    window : rasterio.windows.Window
        Where.
    alpha : int or None
        As of `read_mask`.

    Returns
    -------
    numpy.ndarray of bool, shape (rows, columns)
        True where nothing was measured.
    """
    return np.asarray((file.read_masks(1, window=window) if alpha is None else file.read(alpha, window=window)) == 0)
