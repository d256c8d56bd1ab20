"""ENVI images: a plain file of numbers and a text header; any interleave, byte order, compression and rotation."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.sample import Sample, find_fill
from hsgeo_sensors.common.scale import (
    FAINT,
    PLAUSIBLE,
    Scale,
    check_scale,
    decide_scale,
    quantity_of,
    scaled_percentile,
)
from hsgeo_sensors.common.units import kind_of_unit
from hsgeo_sensors.config import EnviOptions, parse
from hsgeo_sensors.envi.header import EnviHeader, find_pair, read_header
from hsgeo_sensors.envi.raster import Raster, header_bands, header_scale

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
            See `hsgeo_sensors.config.EnviOptions`. What the numbers are worth: see `hsgeo_sensors.common.scale`.
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
                "x.hdr with x, x.img, x.dat, x.bsq, x.bil, x.bip or one other x.* of the size that the header says; or "
                "x.img.hdr with x.img",
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
        centres, widths = header_bands(header, chosen)
        listed = header.numbers("bbl")
        if listed is not None and len(listed) != bands:
            raise SceneError(f"{header.path} has {len(listed)} bbl values for {bands} bands", "one for each band")
        good = default_good(centres) if listed is None else listed > 0
        transform = header.transform()
        raw = Raster(header, pair[1])
        sample = Sample(raw.stored, bands=bands, shape=raw.shape[1:], usable=good)
        nodata = chosen.nodata
        if nodata is None and (said := header.numbers("data ignore value")) is not None and len(said):
            nodata = float(said[0])
        about: dict[str, str] = {}
        if nodata is None or (chosen.nodata is None and np.isnan(nodata)):
            nodata, about = find_fill(sample, name=str(pair[1]))
        scale, quantity = _worth(header, chosen, sample, nodata, str(pair[1]))
        raw.gain, raw.offset, raw.nodata = scale.gain, scale.offset, nodata
        sensor = header.text("sensor type") or ""
        return assemble(
            raw,
            wavelength=centres,
            fwhm=widths,
            good=good,
            crs=header.crs(),
            transform=transform,
            time=header.text("acquisition time"),
            quantity=quantity,
            units=header.text("data units"),
            attrs={"sensor": "unknown" if sensor.lower() in ("", "unknown") else sensor, **about},
            spectra_attrs={"scale_source": scale.source},
            chunks=chunks,
        )


def _worth(
    header: EnviHeader, chosen: EnviOptions, sample: Sample, nodata: float | None, name: str
) -> tuple[Scale, str]:
    """Return what the numbers are worth, and whether they are reflectance or radiance."""
    text = " ".join(header.text(key) or "" for key in ("description", "z plot titles", "data units"))
    radiant = kind_of_unit(header.text("data units") or "") == "radiance"
    quantity = quantity_of(chosen, text, "radiance" if radiant else "")

    scale = decide_scale(
        chosen,
        bands=sample.bands,
        shape=sample.shape,
        said=header_scale(header, quantity=quantity),
        text=text,
        quantity=quantity,
        nodata=nodata,
        probe=sample,
        name=name,
    )
    silent = chosen.quantity is None and quantity == "reflectance" and "reflectance" not in text.lower()
    if silent and scale.stated and scale.source.startswith("data gain values"):
        high = scaled_percentile(scale, sample=sample, nodata=nodata)
        if high is not None and not FAINT <= high <= PLAUSIBLE:
            warnings.warn(
                f"{name} has data gain values, which ENVI means for radiance, and with them 99 % of the numbers looked "
                f"at lie below {high:.3g}, which is no reflectance: they are read as radiance. The reader option "
                "quantity confirms this or overrides it.",
                HsgeoWarning,
                stacklevel=2,
            )
            return scale, "radiance"
    check_scale(scale, quantity=quantity, sample=sample, nodata=nodata, name=name)
    return scale, quantity
