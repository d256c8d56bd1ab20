"""The rasters of an EnMAP product, read in windows: the cube, and quality bits from the layers beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo_sensors.common.decoding import decode_cube
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.common.tiff import check_complete, open_tiff, read_tiff

__all__ = ["Cube", "Flags", "Tiff"]

BACKGROUND = 3  # of QL_QUALITY_CLASSES: 1 is land, 2 water
DEFECTIVE = 1  # of QL_PIXELMASK; 255 outside of what was measured
OUTSIDE = 255
SATURATED = 0b0011_0000  # of QL_QUALITY_TESTFLAGS: SWIR and VNIR
ARTEFACT = 0b1100_0000  # the same
NOT_PRODUCED = 0b11  # the lowest two bits, 0 to 2: nominal, reduced, low quality
PLAIN = {
    "cloud": Quality.CLOUD,
    "cloudshadow": Quality.CLOUD_SHADOW,
    "cirrus": Quality.CIRRUS,  # 1 thin, 2 medium, 3 thick
    "haze": Quality.CIRRUS,  # only where the user wants it
    "snow": Quality.SNOW,
}
"""Layers in which anything but 0 means yes."""


class Tiff:
    """What is known of one raster after looking at its header.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str
        What it is, for messages.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        from rasterio.errors import RasterioError

        try:
            with open_tiff(path) as file:
                self.shape = (file.count, file.height, file.width)
                self.dtype = file.dtypes[0]
                self.nodata = file.nodata
                self.crs, self.transform = file.crs, file.transform
                check_complete(file, name=name, do="Download the product again")
        except RasterioError as error:
            raise SceneError(
                f"{name} is not a readable GeoTIFF: {error}", "a complete one", "Download the product again"
            ) from error
        if not self.dtype.startswith(("int", "uint")):
            raise SceneError(f"{name} holds {self.dtype}", "integers, as in EnMAP products", "Download it again")
        self.path, self.name = path, name
        self.plain = self.transform.is_identity
        status = path.stat()
        self._stamp = (status.st_size, status.st_mtime_ns)

    def __repr__(self) -> str:  # equal for equal states of a file: names of dask's tasks are made of it
        return f"Tiff({str(self.path)!r}, {self.shape}, {self.dtype}, {self._stamp})"

    @property
    def grid(self) -> str:
        """Rows, columns and first corner, for messages."""
        return f"{self.shape[1]} x {self.shape[2]} pixels from {self.transform.c:.2f}, {self.transform.f:.2f}"

    def read(self, bands: list[int], rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read stored numbers of some bands (counted from 1), ``(band, rows, columns)``."""
        return read_tiff(self.path, bands, rows, cols, quiet=self.plain)


class Cube(LazyRaster):
    """The spectra.

    Parameters
    ----------
    tiff : Tiff
        The image.
    gain, offset : numpy.ndarray, shape (band,)
        Of its bands.
    nodata : float
        Stored for no measurement.
    pixelmask : Tiff or None
        Defective pixels, band by band; they become NaN.
    """

    def __init__(
        self, tiff: Tiff, *, gain: np.ndarray, offset: np.ndarray, nodata: float, pixelmask: Tiff | None = None
    ) -> None:
        super().__init__(tiff.path, tiff.shape, np.float32)
        self.tiff, self.gain, self.offset, self.pixelmask = tiff, gain, offset, pixelmask
        self.nodata = (nodata,)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the bands in one call and scale them."""
        assert bands is not None
        numbers = [int(band) + 1 for band in bands]
        raw = self.tiff.read(numbers, rows, cols)
        out = decode_cube(raw, axis=0, gain=self.gain[bands], offset=self.offset[bands], nodata=self.nodata)
        if self.pixelmask is not None:
            mask = self.pixelmask.read(numbers, rows, cols)
            out[(mask & DEFECTIVE != 0) & (mask != OUTSIDE)] = np.nan
        return out


class Flags(LazyRaster):
    """Quality bits.

    Parameters
    ----------
    tiff : Tiff
        The image.
    layers : mapping of str to Tiff
        Keys of `PLAIN`, ``classes`` and ``testflags``.
    probes : tuple of int
        Bands of the image (counted from 1) that must all be nodata before a pixel counts as such; used where there is
        no layer of classes.
    nodata : float
        Stored for no measurement.
    """

    def __init__(self, tiff: Tiff, *, layers: Mapping[str, Tiff], probes: tuple[int, ...], nodata: float) -> None:
        super().__init__(tiff.path, tiff.shape[1:], np.uint16)
        self.tiff, self.layers, self.probes, self.nodata = tiff, dict(layers), probes, nodata
        self.known = int(Quality.NODATA)
        for name in layers:
            self.known |= int(PLAIN.get(name, 0))
        if "testflags" in layers:
            self.known |= int(Quality.SATURATED | Quality.INVALID)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the layers that there are."""
        out = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), np.uint16)
        for name, tiff in self.layers.items():
            values = tiff.read([1], rows, cols)[0]
            if name in PLAIN:
                out[(values != 0) & (values != OUTSIDE)] |= np.uint16(PLAIN[name])
            elif name == "testflags":
                said = values & NOT_PRODUCED != NOT_PRODUCED
                out[(values & SATURATED != 0) & said] |= np.uint16(Quality.SATURATED)
                out[(values & ARTEFACT != 0) & said] |= np.uint16(Quality.INVALID)
            elif name == "classes":
                empty = values == BACKGROUND
        if "classes" not in self.layers:
            empty = np.zeros(out.shape, bool)
            if self.probes:
                empty = (self.tiff.read(list(self.probes), rows, cols) == self.nodata).all(axis=0)
        out[empty] = np.uint16(Quality.NODATA)
        return out
