"""From a lazy array and what is known about it to a scene: one function for all readers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.core.indexing import LazilyIndexedArray

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality, quality_attrs
from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.common.georef import georeference
from hsgeo_sensors.common.lazy import LazyRaster

__all__ = ["ANGLES", "Lookup", "assemble", "to_time"]

SMALLEST = 64 * 64  # pixels of a chunk that xarray makes of its own accord
UNITS = {"reflectance": "1", "radiance": "unknown"}

ANGLES = ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")
"""Names of the angles of a scene: degrees, zeniths from the vertical, azimuths clockwise from north."""


class Lookup(NamedTuple):
    """A geographic lookup table (GLT): which pixel of the sensor grid belongs into each cell of a map grid.

    Parameters
    ----------
    x, y : numpy.ndarray of int or LazyRaster, shape (cells down, cells across)
        Column and row of the sensor grid, counted from 1; 0: no pixel; negative: that of a neighbour, filled in.
    crs : object
        Of the map grid, anything rasterio takes.
    transform : affine.Affine
        From (column, row) of cell corners to map coordinates.
    """

    x: np.ndarray | LazyRaster
    y: np.ndarray | LazyRaster
    crs: Any
    transform: Any


def assemble(
    spectra: LazyRaster,
    *,
    wavelength: Sequence[float] | np.ndarray,
    fwhm: Sequence[float] | np.ndarray | None = None,
    good: Sequence[bool] | np.ndarray | None = None,
    detector: Sequence[str] | np.ndarray | None = None,
    keep: np.ndarray | None = None,
    overlap: str = "both",
    crs: Any = None,
    transform: Any = None,
    quality: LazyRaster | None = None,
    std: LazyRaster | None = None,
    lat: np.ndarray | LazyRaster | None = None,
    lon: np.ndarray | LazyRaster | None = None,
    lookup: Lookup | None = None,
    angles: Mapping[str, float] | None = None,
    time: str | None = None,
    quantity: str = "reflectance",
    units: str | None = None,
    attrs: Mapping[str, Any] | None = None,
    spectra_attrs: Mapping[str, Any] | None = None,
    blocks: tuple[int, int] | None = None,
    chunks: Mapping[Hashable, int] | None = None,
) -> xr.Dataset:
    """Make a scene: bands sorted by wavelength, overlap resolved, coordinates, CRS, wavelength index.

    Parameters
    ----------
    spectra : LazyRaster, shape (band, y, x)
        In the file's band order, decoded to float32, NaN where invalid.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, in the file's order; fwhm None or NaN where unknown.
    good : array_like of bool, shape (band,), optional
        What the file says; None: the default rule (`hsgeo.spectra.absorption.default_good`).
    detector : array_like of str, shape (band,), optional
        Name of the detector of each band.
    keep : numpy.ndarray of bool, shape (band,), optional
        Bands that exist; None: all.
    overlap : {"swir", "vnir", "both"}
        Whose bands stay where the detectors named ``"vnir"`` and ``"swir"`` both measured.
    crs : optional
        Anything rasterio takes for a CRS; None: unknown.
    transform : affine.Affine, optional
        From (column, row) of pixel corners to map coordinates; None: unknown.
    quality : LazyRaster, shape (y, x), optional
        Bit field `hsgeo.plugin.Quality`. Its ``known`` becomes the attribute ``flags_known``.
    std : LazyRaster, shape (band, y, x), optional
        Standard deviation of the spectra as the product states it, in the file's band order: ``spectra_std``.
    lat, lon : numpy.ndarray or LazyRaster, shape (y, x), optional
        Degrees (WGS 84) of pixel centres, for swaths.
    lookup : Lookup, optional
        The product's own map grid, for swaths.
    angles : mapping of str to float, optional
        Of `ANGLES`, for the centre of the scene; become scalar coordinates.
    time : str, optional
        ISO 8601, of the acquisition. A day without an hour becomes the attribute ``acquisition_days``, not midnight.
    quantity, units : str
        Of the values; units default to what the quantity is stored in.
    attrs, spectra_attrs : mapping, optional
        More attributes of the scene (``sensor``, ``product_id``) and of its spectra.
    blocks : tuple of int, optional
        Rows and columns of the blocks in which the spectra are stored, each of which is read and inflated as a whole;
        None: they are not. xarray's ``chunks={}`` and hsgeo's own chunks are then made of whole blocks.
    chunks : mapping, optional
        For dask; None: lazy arrays that read what is indexed.

    Returns
    -------
    xarray.Dataset
        A scene that passes `hsgeo.scene.check_scene`.

    Raises
    ------
    SceneError
        If wavelengths are missing or not positive nanometres.
    """
    wavelength = np.asarray(wavelength, np.float64)
    bands, height, width = spectra.shape
    widths = np.full(bands, np.nan) if fwhm is None else np.asarray(fwhm, np.float64)
    keep = np.ones(bands, bool) if keep is None else np.asarray(keep, bool)
    for what, values in (("wavelengths", wavelength), ("fwhm", widths)):
        if values.shape != (bands,):
            raise SceneError(f"there are {values.size} {what} for {bands} bands", "one for each band")
    if not (np.isfinite(wavelength[keep]) & (wavelength[keep] > 0)).all():
        raise SceneError("some wavelengths are missing or not positive", "one centre in nm for each band")
    if detector is not None:
        keep &= ~_overlapped(wavelength, np.asarray(detector), keep, overlap)
    chosen = np.flatnonzero(keep)
    order = chosen[np.argsort(wavelength[chosen], kind="stable")]
    usable = default_good(wavelength) if good is None else np.asarray(good, bool)

    lazy = _ordered(spectra, order)
    lazy.attrs = {
        "long_name": f"surface {quantity}" if quantity == "reflectance" else "radiance at the sensor",
        "quantity": quantity,
        "units": units or UNITS[quantity],
        **(spectra_attrs or {}),
    }
    nm = {"units": "nm"}
    coords: dict[str, Any] = {
        "band": ("band", order.astype(np.int64) + 1, {"long_name": "band number in the product"}),
        "wavelength": (
            "band",
            wavelength[order],
            {**nm, "standard_name": "radiation_wavelength", "long_name": "wavelength of the band centre"},
        ),
        "fwhm": ("band", widths[order], {**nm, "long_name": "full width at half maximum"}),
        "good": ("band", usable[order], {"long_name": "band is used for unmixing"}),
    }
    if detector is not None:
        coords["detector"] = ("band", np.asarray(detector).astype(str)[order])
    days = {}
    if time is not None and (stamp := to_time(time)) is not None:
        coords["time"] = ((), stamp, {"standard_name": "time"})
    elif time is not None and _is_day(time):
        days["acquisition_days"] = time.strip()
    coords |= _angles(angles or {}) | _geolocation(lat, lon) | _lookup(lookup)
    data: dict[str, Any] = {"spectra": lazy}
    if std is not None:
        data["spectra_std"] = _ordered(std, order)
        data["spectra_std"].attrs = {"long_name": f"standard deviation of {quantity}", "units": lazy.attrs["units"]}
    if quality is not None:
        data["quality"] = xr.Variable(("y", "x"), LazilyIndexedArray(quality), _flags(quality))
    scene = xr.Dataset(data, coords, {"sensor": "unknown", "product_id": spectra.path.stem, **days, **(attrs or {})})
    scene = georeference(scene, height, width, crs=crs, transform=transform).set_xindex("wavelength")
    if blocks is not None:
        preferred = dict(zip(("y", "x"), _grown(blocks), strict=True))
        for variable in scene.variables.values():  # all alike: the dask chunks of a Dataset have to agree
            if variable.dims[-2:] == ("y", "x"):
                variable.encoding["preferred_chunks"] = preferred
    return scene if chunks is None else scene.chunk({key: n for key, n in chunks.items() if key in scene.dims})


def _flags(quality: LazyRaster) -> dict[str, Any]:
    """Return the attributes of ``quality``, with the flags that it has a source for."""
    if quality.known is None:
        return quality_attrs()
    said = " ".join(str(flag.name).lower() for flag in Quality if flag & quality.known)
    return {**quality_attrs(), "flags_known": said}


def _grown(blocks: tuple[int, int]) -> tuple[int, int]:
    """Double the shorter side until a chunk is worth opening the file: some have strips of a row."""
    rows, cols = blocks
    while rows * cols < SMALLEST:
        rows, cols = (2 * rows, cols) if rows <= cols else (rows, 2 * cols)
    return rows, cols


def _ordered(raster: LazyRaster, order: np.ndarray) -> xr.Variable:
    lazy = xr.Variable(("band", "y", "x"), LazilyIndexedArray(raster))
    return lazy if np.array_equal(order, np.arange(raster.shape[0])) else lazy.isel(band=order)


def _angles(angles: Mapping[str, float]) -> dict[str, Any]:
    unknown = set(angles) - set(ANGLES)
    assert not unknown, f"{unknown} are not among {ANGLES}"
    return {
        name: ((), float(value), {"long_name": f"{name.replace('_', ' ')} angle", "units": "degree"})
        for name, value in angles.items()
        if np.isfinite(value)
    }


def _geolocation(lat: np.ndarray | LazyRaster | None, lon: np.ndarray | LazyRaster | None) -> dict[str, Any]:
    if lat is None or lon is None:
        return {}
    out: dict[str, Any] = {}
    for name, what, units, values in (
        ("lat", "latitude", "degrees_north", lat),
        ("lon", "longitude", "degrees_east", lon),
    ):
        attrs = {"standard_name": what, "long_name": f"{what} (WGS 84) of pixel centres", "units": units}
        out[name] = (("y", "x"), _lazily(values), attrs)
    return out


def _lookup(lookup: Lookup | None) -> dict[str, Any]:
    """Return the table as coordinates on its own grid; its CRS and affine are attributes, as in ``spatial_ref``."""
    if lookup is None:
        return {}
    from rasterio.crs import CRS

    a, b, c, d, e, f = tuple(lookup.transform)[:6]
    about = {
        "crs_wkt": CRS.from_user_input(lookup.crs).to_wkt(),
        "GeoTransform": " ".join(repr(float(v)) for v in (c, a, b, f, d, e)),
        "comment": "counted from 1; 0: no pixel; negative: that of a neighbour, filled in",
    }
    return {
        name: (("glt_row", "glt_col"), _lazily(values), {"long_name": f"{what} of the sensor grid", **about})
        for name, what, values in (("glt_x", "column", lookup.x), ("glt_y", "row", lookup.y))
    }


def _lazily(values: np.ndarray | LazyRaster) -> Any:
    return LazilyIndexedArray(values) if isinstance(values, LazyRaster) else values


def _overlapped(wavelength: np.ndarray, detector: np.ndarray, keep: np.ndarray, overlap: str) -> np.ndarray:
    """Mark the bands that give way where two detectors measured the same wavelengths."""
    vnir, swir = keep & (detector == "vnir"), keep & (detector == "swir")
    if overlap == "both" or not vnir.any() or not swir.any():
        return np.zeros(keep.shape, bool)
    if overlap == "swir":
        return vnir & (wavelength >= wavelength[swir].min())
    return swir & (wavelength <= wavelength[vnir].max())


def to_time(text: str) -> np.datetime64 | None:
    """Read an ISO 8601 time as nanosecond datetime64, UTC; None when it is not one, or has no hour.

    Parameters
    ----------
    text : str
        Such as ``2022-07-24T10:45:26Z``.

    Returns
    -------
    numpy.datetime64 or None
        The time.
    """
    from datetime import UTC, datetime

    if _is_day(text):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def _is_day(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True
