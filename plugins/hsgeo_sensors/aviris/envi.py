"""AVIRIS cubes in ENVI files: Classic, NG and AVIRIS-3, radiance and reflectance, with their side files.

Layout and traps (JPL distribution documents of the three instruments): the grid is turned along the flight line and
``map info`` says by how much. AVIRIS Classic stores radiance as big-endian int16 times a factor per band, which stands
in a ``.gain`` file; fills with -50 without saying so; and steps back in wavelength where one of its four spectrometers
ends and the next begins. Its band centres may stand in an ``.spc`` file only.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo_sensors.aviris.angles import angles_of
from hsgeo_sensors.aviris.names import AvirisName, companion, said_by
from hsgeo_sensors.aviris.sides import columns, overlapped, spectrometers
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.common.lazy import decode
from hsgeo_sensors.common.sample import Sample, windows
from hsgeo_sensors.common.scale import Scale, check_scale, decide_scale
from hsgeo_sensors.config import AvirisOptions
from hsgeo_sensors.envi.header import EnviHeader, find_pair, read_header
from hsgeo_sensors.envi.raster import Raster, header_bands, header_scale

__all__ = ["UNITS", "open_envi"]

UNITS = "uW cm-2 nm-1 sr-1"
"""Of the radiance of all instruments of the family."""
FILL = -9999.0
FILL_CLASSIC = -50.0  # of AVIRIS Classic's integer radiance, in stored numbers; its header does not say it
LIKELY, MOST = 75.0, 2.0  # three quarters of all reflectances of a line lie below 2 even where a retrieval went wild
DEEP = ((0.0, 400.0), (1330.0, 1460.0), (1780.0, 1980.0), (2450.0, 3000.0))  # nm; no light is left, numbers are wild


@dataclass(frozen=True)
class _Found:
    """A cube, its header and what is known about it so far."""

    path: Path
    header: EnviHeader
    name: AvirisName | None
    key: str
    quantity: str
    stated: bool  # by user, name or header; else it was assumed

    @property
    def integer(self) -> bool:
        return bool(self.header.dtype.kind in "iu")

    @property
    def classic(self) -> bool:
        return self.name is not None and self.name.sensor == "AVIRIS-Classic"


def open_envi(
    path: Path, name: AvirisName | None, chosen: AvirisOptions, chunks: Mapping[Hashable, int] | None
) -> xr.Dataset:
    """Open an ENVI cube of the AVIRIS family as a scene.

    Parameters
    ----------
    path : pathlib.Path
        Header or data file.
    name : AvirisName or None
        What the name says; None: only the header says that it is AVIRIS.
    chosen : AvirisOptions
        The user's.
    chunks : mapping or None
        For dask.

    Returns
    -------
    xarray.Dataset
        A scene.

    Raises
    ------
    SceneError
        If a file is broken or missing, or does not fit the others.
    """
    pair = find_pair(path)
    if pair is None:
        raise SceneError(
            f"{path} has no {'data file' if path.suffix.lower() == '.hdr' else 'header'} beside it",
            "an ENVI data file and its .hdr in one folder",
            "Put both into one folder",
        )
    header = read_header(pair[0])
    text = " ".join(header.text(key) or "" for key in ("description", "data units"))
    quantity, stated = _quantity(pair[1], header, name, chosen)
    cube = _Found(pair[1], header, name, name.granule if name else pair[1].stem, quantity, stated)
    centres, widths, source = _centres(cube, chosen)
    labels = spectrometers(centres)
    nodata = _nodata(cube, chosen)
    raw = Image(header, pair[1])
    listed = header.numbers("bbl")
    if listed is not None and len(listed) != len(centres):
        raise SceneError(f"{header.path} has {len(listed)} bbl values for {len(centres)} bands", "one for each band")
    scale = _scale(cube, chosen, text, nodata, raw, _usable(centres, listed))
    raw.gain, raw.offset, raw.nodata = scale.gain, scale.offset, nodata
    std, std_source = _std(cube, chosen, centres)
    angles, hour, angles_source = angles_of(
        pair[1], cube.key, chosen.observation, (header.sizes["y"], header.sizes["x"])
    )
    said = header.text("sensor type") or ""
    return assemble(
        raw,
        wavelength=centres,
        fwhm=widths,
        good=None if listed is None else listed > 0,
        detector=labels,
        keep=None if labels is None else ~overlapped(centres, labels, chosen.overlap),
        crs=header.crs(),
        transform=header.transform(),
        std=std,
        angles=angles,
        time=_time(cube, hour),
        quantity=quantity,
        units=None if quantity == "reflectance" else UNITS,
        attrs={
            "sensor": name.sensor if name else said,
            "product_id": pair[1].name.removesuffix(".img"),
            "granule": cube.key,
            "processing_level": "L2A" if quantity == "reflectance" else "L1B",
            "angles_source": angles_source,
            **({"std_source": std_source} if std_source else {}),
        },
        spectra_attrs={
            "scale_source": scale.source,
            "wavelength_source": source,
            "overlap": chosen.overlap if labels is not None else "none: one spectrometer",
        },
        chunks=chunks,
    )


class Image(Raster):
    """The numbers of a cube; float numbers without a scale are not calculated with."""

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and scale a window."""
        assert bands is not None
        raw = self.stored(bands, rows, cols)
        gain, offset = self.gain[bands], self.offset[bands]
        if raw.dtype != np.float32 or (gain != 1).any() or (offset != 0).any():
            return decode(raw, gain, offset, self.nodata)
        raw = raw if raw.flags.writeable else np.array(raw)  # one whole row is a view of the file
        for plane in raw:  # plane by plane: the mask then stays in the processor's cache
            bad = ~np.isfinite(plane)
            if self.nodata is not None:
                bad |= plane == np.float32(self.nodata)
            plane[bad] = np.nan
        return raw


def _quantity(path: Path, header: EnviHeader, name: AvirisName | None, chosen: AvirisOptions) -> tuple[str, bool]:
    """Return the quantity, and whether it is said: by the user, the name, the header, or what is delivered beside."""
    said = chosen.quantity or (said_by(path.name) if name is None else name.quantity)
    if said is None:
        text = " ".join(header.text(key) or "" for key in ("description", "data units")).lower()
        words = {word for word in ("reflectance", "radiance") if re.search(rf"(?<![a-z]){word}", text)}
        if not words and re.search(r"(?<![a-z])sr(?![a-z])", (header.text("data units") or "").lower()):
            words = {"radiance"}  # per steradian
        said = words.pop() if len(words) == 1 else None
    if said is not None:
        return said, True
    if header.text("reflectance scale factor") or header.text("data reflectance gain values"):
        return "reflectance", True
    if chosen.gain is not None or (name is not None and name.scene):
        return "radiance", True
    tables = [] if name is None or header.dtype.kind == "f" else sorted(path.parent.glob(f"{name.granule}*.gain"))
    if not tables:
        return "reflectance", False
    warnings.warn(
        f"{path} does not say what it holds; it is read as radiance, because {tables[0].name} lies beside it. The "
        "reader option quantity=radiance confirms this, quantity=reflectance overrides it.",
        HsgeoWarning,
        stacklevel=2,
    )
    return "radiance", True


def _usable(centres: np.ndarray, listed: np.ndarray | None) -> np.ndarray:
    """Mark the bands whose numbers can be judged by."""
    clear = np.ones(len(centres), bool) if listed is None else listed > 0
    for low, high in DEEP:
        clear &= (centres < low) | (centres > high)
    return clear


def _centres(cube: _Found, chosen: AvirisOptions) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Return centres and widths, nm, in the file's order: of the options, the header, or the ``.spc`` file."""
    bands = cube.header.sizes["band"]
    given = given_bands(chosen, bands)[0]
    if given is not None or cube.header.numbers("wavelength") is not None:
        return (*header_bands(cube.header, chosen), "options" if given is not None else "header")
    table = companion(cube.path, cube.key, "*.spc", said=chosen.spc)
    if table is None:
        raise no_wavelengths(f"{cube.header.path} (no .spc file of {cube.key} was found either)", bands)
    values = columns(table, rows=bands, least=2, what="spectral calibration")
    factor = nanometre_factor(values[:, 0], None, name=str(table))
    if not (values[:, 0] * factor > 100).all():
        raise SceneError(f"{table} has centres that are no wavelengths", "band centres and widths, nm")
    return values[:, 0] * factor, values[:, 1] * factor, table.name


def _nodata(cube: _Found, chosen: AvirisOptions) -> float:
    if chosen.nodata is not None:
        return chosen.nodata
    said = cube.header.numbers("data ignore value")
    if said is not None:
        return float(said[0])
    return FILL_CLASSIC if cube.classic and cube.quantity == "radiance" and cube.integer else FILL


def _scale(cube: _Found, chosen: AvirisOptions, text: str, nodata: float, raw: Image, usable: np.ndarray) -> Scale:
    """Say what a stored number is worth; a factor that no file states is an error."""
    bands = cube.header.sizes["band"]
    said, shape = header_scale(cube.header, quantity=cube.quantity), (cube.header.sizes["y"], cube.header.sizes["x"])
    sample = Sample(raw.stored, bands=bands, shape=shape, usable=usable)
    if chosen.scale is None and said is None:
        if cube.quantity == "radiance" and (cube.integer or chosen.gain is not None):
            table = companion(cube.path, cube.key, "*.gain", said=chosen.gain)
            if table is None:
                raise SceneError(
                    f"{cube.path} holds radiance as whole numbers, and there is no .gain file of {cube.key} beside it",
                    "the .gain file that is delivered with the image: one factor for each band",
                    "Put it beside the image, or name it with the reader option gain=PATH; if it holds reflectance, "
                    "say quantity=reflectance",
                )
            factors = columns(table, rows=bands, least=1, what="gain")[:, 0]
            if not (factors > 0).all():
                raise SceneError(
                    f"{table} has factors that are not positive", "numbers to divide by, one for each band"
                )
            return Scale(1.0 / factors, np.full(bands, chosen.offset or 0.0), table.name)
        if cube.quantity == "reflectance" and not cube.integer and cube.stated and _plausible(sample, nodata):
            where = np.full(bands, chosen.offset or 0.0)
            return Scale(np.ones(bands), where, "reflectance as stored: AVIRIS products in floating point are 0 to 1")
    scale = decide_scale(
        chosen,
        bands=bands,
        shape=shape,
        said=said,
        text=text,
        quantity=cube.quantity,
        nodata=nodata,
        probe=sample,
        name=str(cube.path),
    )
    check_scale(scale, quantity=cube.quantity, sample=sample, nodata=nodata, name=str(cube.path))
    return scale


def _plausible(sample: Sample, nodata: float) -> bool:
    """Say whether numbers that should be reflectance from 0 to 1 can be that."""
    for grid in (3, 7):
        values = np.concatenate([sample(*box).ravel() for box in windows(sample.shape, grid)])
        values = values[np.isfinite(values) & (values != nodata)]
        if values.size:
            return float(np.percentile(values, LIKELY)) <= MOST
    return True


def _std(cube: _Found, chosen: AvirisOptions, centres: np.ndarray) -> tuple[Image | None, str]:
    """Return the stated standard deviation of the reflectance, and its file."""
    if chosen.uncertainty == "none" or cube.quantity != "reflectance":
        return None, ""
    said = chosen.uncertainty if isinstance(chosen.uncertainty, Path) else None
    path = companion(cube.path, cube.key, "*_UNC_ORT", "*_unc_ort", "*_unc_*img", said=said)
    pair = find_pair(path) if path else None
    if path is None or (pair is None and said is None):
        return None, ""
    if pair is None:
        raise SceneError(
            f"{path} has no header beside it", "an ENVI data file and its .hdr", "Put both into one folder"
        )
    header = read_header(pair[0])
    wavelength = header.numbers("wavelength")
    same = header.sizes == cube.header.sizes
    if same and wavelength is not None:
        factor = nanometre_factor(wavelength, header.text("wavelength units"), name=str(pair[0]))
        same = len(wavelength) == len(centres) and np.allclose(wavelength * factor, centres, rtol=0, atol=0.5)
    if not same:
        raise SceneError(
            f"{path} has {header.sizes} bands, rows and columns, {cube.path.name} has {cube.header.sizes}, or their "
            "wavelengths differ",
            "an uncertainty of this image, pixel by pixel and band by band",
            "Name the right one with the reader option uncertainty=PATH, or leave it out with uncertainty=none",
        )
    raw = Image(header, pair[1])
    bands = header.sizes["band"]
    ignored = header.numbers("data ignore value")
    raw.gain, raw.offset = np.ones(bands), np.zeros(bands)
    raw.nodata = FILL if ignored is None else float(ignored[0])
    return raw, path.name


def _time(cube: _Found, hour: float | None) -> str | None:
    """Return the time of the name; AVIRIS Classic's names have only the day, and the geometry file the hour (UTC)."""
    if cube.name is None:
        return cube.header.text("acquisition time")
    if cube.name.clock or hour is None:
        return cube.name.time
    day = np.datetime64(cube.name.time, "ms")
    return str(day + np.timedelta64(round(hour * 3_600_000), "ms"))
