"""The numbers of an ENVI image, and what its header says about their bands and scale."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, cast

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.common.cache import unpacked
from hsgeo_sensors.common.lazy import LazyRaster, decode
from hsgeo_sensors.config import RawOptions
from hsgeo_sensors.envi.header import EnviHeader

__all__ = ["Raster", "header_bands", "header_scale"]


class Raster(LazyRaster):
    """The numbers of an ENVI data file."""

    gain: np.ndarray
    offset: np.ndarray
    nodata: float | None = None

    def __init__(self, header: EnviHeader, data: Path) -> None:
        sizes = header.sizes
        super().__init__(data, (sizes["band"], sizes["y"], sizes["x"]), np.float32)
        self.axes, self.stored_dtype = header.axes, header.dtype
        self.stored_shape = tuple(sizes[axis] for axis in self.axes)
        self.start = header.integer("header offset", 0)
        with self.path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        self.packed = packed and header.integer("file compression", 0) == 1
        needed = self.start + int(np.prod(self.stored_shape, dtype=np.int64)) * self.stored_dtype.itemsize
        self.bytes_needed = needed
        if not self.packed and self.path.stat().st_size < needed:
            raise SceneError(
                f"{data} has {self.path.stat().st_size} bytes, and its header asks for {needed}",
                "a complete data file",
                "Copy it again, or correct the header",
            )
        if self.packed:
            self._file()  # a broken file is told now, not in the middle of the work

    def _file(self) -> Path:
        if not self.packed:
            return self.path
        return unpacked(self.path, "gzip", self.bytes_needed, self._stream, suffix=".raw")

    def _stream(self) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(self.path, "rb"))

    def stored(self, bands: np.ndarray, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read stored numbers, ``(band, rows, columns)``, in the machine's byte order."""
        numbers = np.memmap(self._file(), self.stored_dtype, "r", self.start, self.stored_shape)
        cube = numbers.transpose([self.axes.index(axis) for axis in ("band", "y", "x")])
        window = cube[:, rows[0] : rows[1], cols[0] : cols[1]][_run(bands)]
        return np.ascontiguousarray(window, self.stored_dtype.newbyteorder("="))

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and scale a window."""
        assert bands is not None
        return decode(self.stored(bands, rows, cols), self.gain[bands], self.offset[bands], self.nodata)


def _run(bands: np.ndarray) -> slice | np.ndarray:
    """Return a slice for consecutive bands: numpy then copies once, not twice."""
    if len(bands) > 1 and (np.diff(bands) == 1).all():
        return slice(int(bands[0]), int(bands[-1]) + 1)
    return bands


def header_bands(header: EnviHeader, options: RawOptions) -> tuple[np.ndarray, np.ndarray | None]:
    """Return centres and widths in nanometres."""
    bands = header.sizes["band"]
    centres, widths = given_bands(options, bands)
    said, said_widths = header.numbers("wavelength"), header.numbers("fwhm")
    for key, values in (("wavelength", said), ("fwhm", said_widths)):
        if values is not None and len(values) != bands:
            raise SceneError(f"{header.path} has {len(values)} values of {key} for {bands} bands", "one for each band")
    if said is None and centres is None:
        raise no_wavelengths(str(header.path), bands)
    if said is not None and (centres is None or (widths is None and said_widths is not None)):
        factor = nanometre_factor(said, header.text("wavelength units"), name=str(header.path))
        if not (np.isfinite(said) & (said > 0)).all():
            raise SceneError(
                f"{header.path} has wavelengths that are missing or not positive",
                "a wavelength for each band",
                "Repair the header, or give them all with the reader option wavelengths=...",
            )
        centres = said * factor if centres is None else centres
        widths = said_widths * factor if widths is None and said_widths is not None else widths
    assert centres is not None
    return centres, None if widths is None else np.where(widths > 0, widths, np.nan)


def header_scale(header: EnviHeader, *, quantity: str = "reflectance") -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return gains and offsets that the header states, those of the quantity before others.

    In ENVI's convention ``data gain values`` make radiance, ``data reflectance gain values`` reflectance; some files
    have the first for reflectance.
    """
    bands = header.sizes["band"]
    factor = header.numbers("reflectance scale factor")

    def lines(kind: str) -> tuple[np.ndarray, np.ndarray, str] | None:
        gains, offsets = header.numbers(f"{kind} gain values"), header.numbers(f"{kind} offset values")
        if gains is None and offsets is None:
            return None
        gains = np.ones(bands) if gains is None else gains
        offsets = np.zeros(bands) if offsets is None else offsets
        if len(gains) != bands or len(offsets) != bands:
            raise SceneError(f"{header.path} has {len(gains)} gains and {len(offsets)} offsets for {bands} bands")
        return gains, offsets, f"{kind} gain values of the header"

    said = lines("data" if quantity == "radiance" else "data reflectance")
    if said is None and factor is not None and factor[0] > 0:
        return np.full(bands, 1.0 / factor[0]), np.zeros(bands), "reflectance scale factor of the header"
    return said if said is not None or quantity == "radiance" else lines("data")
