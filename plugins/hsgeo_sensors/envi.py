"""ENVI images: a plain file of numbers and a text header; any interleave, byte order, compression and rotation."""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo_sensors.assemble import assemble
from hsgeo_sensors.bands import given_bands, no_wavelengths
from hsgeo_sensors.cache import unpacked
from hsgeo_sensors.config import EnviOptions, parse
from hsgeo_sensors.envi_header import EnviHeader, find_pair, nanometre_factor, read_header
from hsgeo_sensors.lazy import LazyRaster, decode
from hsgeo_sensors.scale import decide_scale, quantity_of

__all__ = ["EnviReader"]

CONTAINERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89HDF", b"CDF", b"PK\x03\x04", b"MATL")
"""First bytes of TIFF, HDF5, netCDF, zip and MATLAB: files of those formats may have an ENVI header beside them."""


class EnviReader:
    """Opens ENVI images, given the header or the data file."""

    def score(self, path: Path) -> int:
        """Return 1 for a header or a data file that has one beside it. Spectral libraries get their own message."""
        try:
            if not path.is_file():
                return 0
            pair = find_pair(path)
            header = pair[0] if pair else path
            if header.suffix.lower() != ".hdr" and not pair:
                return 0
            with header.open("rb") as file:
                if not file.read(64).lstrip(b"\xef\xbb\xbf \r\n").startswith(b"ENVI"):
                    return 0
            if pair is None or path == header:
                return 1
            with pair[1].open("rb") as file:
                return 0 if file.read(4).startswith(CONTAINERS) else 1
        except OSError:
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open an image as a scene.

        Parameters
        ----------
        path : pathlib.Path
            Header or data file. Compressed data (``file compression = 1``) is unpacked once into the cache folder.
        options : mapping, optional
            See `hsgeo_sensors.config.EnviOptions`. What the numbers are worth: see `hsgeo_sensors.scale`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            A scene.

        Raises
        ------
        SceneError
            If it is a spectral library, a file is missing or too short, or it has no wavelengths.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(EnviOptions, options)
        path = Path(path)
        pair = find_pair(path)
        if pair is None:
            raise SceneError(
                f"{path} has no data file beside it",
                "x.hdr with x, x.img, x.dat, x.bsq, x.bil or x.bip; or x.img.hdr with x.img",
                "Put header and data file into one folder",
            )
        header = read_header(pair[0])
        kind = (header.text("file type") or "").lower()
        if "spectral library" in kind or pair[1].suffix.lower() == ".sli":
            raise SceneError(
                f"{pair[1]} is an ENVI spectral library",
                "an ENVI image",
                "Give a library as endmembers (--endmembers), and a scene as input",
            )
        bands = header.sizes["band"]
        centres, widths = _bands(header, chosen)
        nodata = chosen.nodata
        if nodata is None and (said := header.numbers("data ignore value")) is not None:
            nodata = float(said[0])
        raw = _Raw(header, pair[1])
        text = " ".join(header.text(key) or "" for key in ("description", "z plot titles", "data units"))
        quantity = quantity_of(chosen, text)
        scale = decide_scale(
            chosen,
            bands=bands,
            shape=(header.sizes["y"], header.sizes["x"]),
            said=_said(header),
            text=text,
            quantity=quantity,
            nodata=nodata,
            probe=lambda rows, cols: raw.stored(np.arange(bands), rows, cols),
            name=str(pair[1]),
        )
        raw.gain, raw.offset, raw.nodata = scale.gain, scale.offset, nodata
        listed = header.numbers("bbl")
        if listed is not None and len(listed) != bands:
            raise SceneError(f"{header.path} has {len(listed)} bbl values for {bands} bands", "one for each band")
        sensor = header.text("sensor type") or ""
        return assemble(
            raw,
            wavelength=centres,
            fwhm=widths,
            good=None if listed is None else listed > 0,
            crs=header.crs(),
            transform=header.transform(),
            time=header.text("acquisition time"),
            quantity=quantity,
            units=header.text("data units"),
            attrs={"sensor": "unknown" if sensor.lower() in ("", "unknown") else sensor},
            spectra_attrs={"scale_source": scale.source},
            chunks=chunks,
        )


class _Raw(LazyRaster):
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


def _bands(header: EnviHeader, options: EnviOptions) -> tuple[np.ndarray, np.ndarray | None]:
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


def _said(header: EnviHeader) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return gains and offsets that the header states."""
    bands = header.sizes["band"]
    gains, offsets = header.numbers("data gain values"), header.numbers("data offset values")
    factor = header.numbers("reflectance scale factor")
    if gains is not None or offsets is not None:
        gains = np.ones(bands) if gains is None else gains
        offsets = np.zeros(bands) if offsets is None else offsets
        if len(gains) != bands or len(offsets) != bands:
            raise SceneError(f"{header.path} has {len(gains)} gains and {len(offsets)} offsets for {bands} bands")
        return gains, offsets, "data gain values of the header"
    if factor is not None and factor[0] > 0:
        return np.full(bands, 1.0 / factor[0]), np.zeros(bands), "reflectance scale factor of the header"
    return None
