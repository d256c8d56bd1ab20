"""AVIRIS cubes in netCDF-4: L2A of AVIRIS-3, AVIRIS-5 and newer AVIRIS-NG on a map grid, L1B on the sensor grid.

The names inside changed over the years, so the cube is looked up: the three-dimensional variable whose name, or whose
group's, says what it is. Read with h5py: the netCDF library is not safe in threads.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo_sensors.aviris.angles import angles_of
from hsgeo_sensors.aviris.envi import UNITS
from hsgeo_sensors.aviris.grid import Grid, dimension, grid_of
from hsgeo_sensors.aviris.names import AvirisName, companion
from hsgeo_sensors.common.assemble import assemble, to_time
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.common.hdf5 import is_variable, open_hdf5, sides_of_chunks
from hsgeo_sensors.common.lazy import LazyRaster, decode
from hsgeo_sensors.config import AvirisOptions

__all__ = ["is_aviris", "open_netcdf"]

WANTED = "an AVIRIS granule"

WORDS = {
    "reflectance": ("reflectance", "rfl", "surface_reflectance"),
    "radiance": ("radiance", "rdn", "rad"),
    "uncertainty": ("uncertainty", "unc", "reflectance_uncertainty"),
}
WAVES = ("wavelength", "wavelengths", "wl", "bands_wavelength")
ACROSS = ("easting", "x", "sample", "samples")  # names of the dimension along the rows
FILL = -9999.0
LAYOUT = "an AVIRIS netCDF-4 file: one three-dimensional variable with the wavelength of each band beside it"


class Cube(NamedTuple):
    """Where the cube of a file is, and in which order its axes are stored."""

    field: str
    kind: str
    bands: int
    shape: tuple[int, int]
    axes: tuple[int, int, int]  # positions of band, row and column among the stored axes
    fill: float | None
    gain: float
    offset: float


def is_aviris(path: Path) -> bool:
    """Say whether a netCDF-4 file calls itself AVIRIS in its attributes, whatever its name is.

    Parameters
    ----------
    path : pathlib.Path
        Any file.

    Returns
    -------
    bool
        True when an attribute of its root names the instrument.
    """
    with path.open("rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return False
    with open_hdf5(path) as file:
        said = (_text(file.attrs.get(key)) for key in ("title", "instrument", "sensor", "platform", "source"))
        return any("aviris" in text.lower() for text in said)


def open_netcdf(
    path: Path, name: AvirisName | None, chosen: AvirisOptions, chunks: Mapping[Hashable, int] | None
) -> xr.Dataset:
    """Open a netCDF cube of the AVIRIS family as a scene.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : AvirisName or None
        What its name says.
    chosen : AvirisOptions
        The user's.
    chunks : mapping or None
        For dask.

    Returns
    -------
    xarray.Dataset
        A scene; of radiance on the sensor grid with ``lat``, ``lon`` and the product's lookup table.

    Raises
    ------
    SceneError
        If the file is broken, incomplete, or contradicts itself.
    """
    with open_hdf5(path, WANTED) as file:
        cube = _find(file, path, ("reflectance", "radiance"))
        centres, widths, listed = _bands_of(file, cube, chosen, path)
        blocks = sides_of_chunks(file[cube.field], *cube.axes[1:])
        grid = grid_of(file, cube.field, cube.shape, cube.axes[1:], name=str(path))
        said = _text(file.attrs.get("time_coverage_start"))
        title = _text(file.attrs.get("title")) or _text(file.attrs.get("instrument"))
    key = name.granule if name else path.stem
    gain, offset = cube.gain, cube.offset
    if chosen.scale is not None or chosen.offset is not None:
        gain = chosen.scale if chosen.scale is not None else gain
        offset = chosen.offset if chosen.offset is not None else offset
    std, std_source = _std(path, key, chosen, cube)
    angles, _, angles_source = angles_of(path, key, chosen.observation, cube.shape)
    quantity = chosen.quantity or cube.kind
    fill = chosen.nodata if chosen.nodata is not None else cube.fill
    return assemble(
        Values(path, cube._replace(gain=gain, offset=offset, fill=fill)),
        wavelength=centres,
        fwhm=widths,
        good=listed,
        crs=grid.crs,
        transform=grid.transform,
        lat=_layer(path, grid.lat, cube.shape),
        lon=_layer(path, grid.lon, cube.shape),
        lookup=_lookup(path, grid),
        std=std,
        angles=angles,
        time=said if said and to_time(said) is not None else (name.time if name else None),
        quantity=quantity,
        units=None if quantity == "reflectance" else UNITS,
        attrs={
            "sensor": name.sensor if name else _sensor(title),
            "product_id": path.stem,
            "granule": key,
            "processing_level": "L2A" if quantity == "reflectance" else "L1B",
            "angles_source": angles_source,
            "georeferencing": grid.about,
            **({"std_source": std_source} if std_source else {}),
        },
        spectra_attrs={
            "scale_source": f"{cube.field} as stored" if gain == 1 and offset == 0 else f"scale of {cube.field}"
        },
        blocks=blocks,
        chunks=chunks,
    )


class Values(LazyRaster):
    """A cube, read in one box."""

    def __init__(self, path: Path, cube: Cube) -> None:
        super().__init__(path, (cube.bands, *cube.shape), np.float32)
        self.cube = cube

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and decode a window."""
        assert bands is not None
        low = int(bands.min())
        box: list[Any] = [None, None, None]
        b, y, x = self.cube.axes
        box[b], box[y], box[x] = slice(low, int(bands.max()) + 1), slice(*rows), slice(*cols)
        with open_hdf5(self.path, WANTED) as file:
            stored = file[self.cube.field][tuple(box)].transpose(self.cube.axes)
        if len(bands) != stored.shape[0] or (np.diff(bands) != 1).any():
            stored = stored[bands - low]
        if stored.dtype.newbyteorder("=") != np.float32 or (self.cube.gain, self.cube.offset) != (1.0, 0.0):
            gain = np.full(len(bands), self.cube.gain)
            return decode(stored, gain, np.full(len(bands), self.cube.offset), self.cube.fill)
        values = np.ascontiguousarray(stored, np.float32)
        for plane in values:  # plane by plane: the mask then stays in the processor's cache
            bad = ~np.isfinite(plane)
            if self.cube.fill is not None:
                bad |= plane == np.float32(self.cube.fill)
            plane[bad] = np.nan
        return values


class _Layer(LazyRaster):
    """A two-dimensional variable; its fill value becomes NaN, or 0 among whole numbers."""

    def __init__(self, path: Path, field: str, shape: tuple[int, int], dtype: type) -> None:
        super().__init__(path, shape, dtype)
        self.field = field

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a window."""
        with open_hdf5(self.path, WANTED) as file:
            field = file[self.field]
            fill = _fill(field)
            values = field[slice(*rows), slice(*cols)]
        void = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        for number in {fill, FILL} - {None}:
            void |= values == number
        return np.where(void, 0 if self.dtype.kind == "i" else np.nan, values).astype(self.dtype)


def _layer(path: Path, field: str | None, shape: tuple[int, int]) -> _Layer | None:
    return None if field is None else _Layer(path, field, shape, np.float64)


def _lookup(path: Path, grid: Grid) -> Any:
    from hsgeo_sensors.common.assemble import Lookup

    if grid.table is None:
        return None
    x, y, shape, crs, transform = grid.table
    return Lookup(_Layer(path, x, shape, np.int32), _Layer(path, y, shape, np.int32), crs, transform)


def _find(file: Any, path: Path, kinds: tuple[str, ...]) -> Cube:
    """Find the cube: by its name, or by its group's."""
    import h5py

    found: list[tuple[str, str]] = []
    others = []
    for name, item in file.items():
        inside = item.items() if isinstance(item, h5py.Group) else [("", item)]
        for child, field in inside:
            if not isinstance(field, h5py.Dataset) or field.ndim != 3:
                continue
            kind = _kind(child or name) or _kind(name)
            (found if kind in kinds else others).append((field.name, kind or field.name))
    if len(found) != 1:
        said = ", ".join(field for field, _ in found + others) or "none"
        raise SceneError(
            f"{path} has the three-dimensional variables {said}",
            f"exactly one of {' or '.join(kinds)}",
            "Open the radiance or reflectance file of the granule",
        )
    field, kind = found[0]
    data = file[field]
    gain, offset = (_number(data.attrs.get(key)) for key in ("scale_factor", "add_offset"))
    if data.dtype.kind not in "fiu" or (data.dtype.kind in "iu" and gain is None):
        raise SceneError(
            f"{path} holds {field} as {data.dtype}" + (" without a scale_factor" if data.dtype.kind in "iu" else ""),
            "floating point numbers, or whole numbers with a scale_factor",
            "Download it again",
        )
    axes = _axes(file, data, path)
    shape = (data.shape[axes[1]], data.shape[axes[2]])
    fill = _fill(data)
    fill = FILL if fill is None or np.isnan(fill) else fill
    return Cube(field, kind, data.shape[axes[0]], shape, axes, fill, gain or 1.0, offset or 0.0)


def _kind(name: str) -> str | None:
    return next((kind for kind, words in WORDS.items() if name.rsplit("/")[-1].lower() in words), None)


def _axes(file: Any, data: Any, path: Path) -> tuple[int, int, int]:
    """Return the stored positions of band, row and column.

    The band axis is the one whose dimension is named so, else the one as long as the wavelengths.
    """
    wave = _beside(file, data.name, WAVES)
    named = [axis for axis in range(3) if dimension(data, axis) in WAVES]
    if wave is None and not named:
        return 0, 1, 2  # the wavelengths may be an option; (band, row, column) is the layout of the products
    places = [axis for axis in named or range(3) if wave is None or data.shape[axis] == wave.shape[0]]
    if not places:
        raise SceneError(f"{path} has {wave.shape} wavelengths for a cube of {data.shape}", LAYOUT, "Download it again")
    band = 0 if 0 in places else places[-1]
    rows, columns = (axis for axis in range(3) if axis != band)
    if dimension(data, rows) in ACROSS:
        rows, columns = columns, rows
    return band, rows, columns


def _beside(file: Any, field: str, names: tuple[str, ...]) -> Any:
    """Return a variable of one of these names: in the group of the cube, its parameters, or the root."""
    groups = [file[field].parent, *(file[g] for g in ("sensor_band_parameters",) if g in file), file]
    for group in groups:
        for child in group:
            data = group[child] if child.lower() in names else None
            if getattr(data, "ndim", 0) == 1 and is_variable(data):
                return data
    return None


def _bands_of(
    file: Any, cube: Cube, chosen: AvirisOptions, path: Path
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return centres and widths in nm, and which bands the file calls good."""
    centres, widths = given_bands(chosen, cube.bands)
    found = {
        "wavelength": _beside(file, cube.field, ("wavelength", "wavelengths", "wl")),
        "fwhm": _beside(file, cube.field, ("fwhm",)),
        "good": _beside(file, cube.field, ("good_wavelengths", "good_wavelength", "bbl")),
    }
    for what, data in found.items():
        if data is not None and data.shape != (cube.bands,):
            raise SceneError(f"{path} has {data.shape} values of {what} for {cube.bands} bands", "one for each band")
    wave = found["wavelength"]
    if centres is None and wave is None:
        raise no_wavelengths(str(path), cube.bands)
    factor = 1.0
    if wave is not None:
        factor = nanometre_factor(wave[:].astype(float), _text(wave.attrs.get("units")) or None, name=str(path))
        centres = wave[:].astype(np.float64) * factor if centres is None else centres
    if widths is None and found["fwhm"] is not None:
        values = found["fwhm"][:].astype(np.float64) * factor
        widths = np.where(values > 0, values, np.nan)
    listed = None if found["good"] is None else found["good"][:] == 1
    return np.asarray(centres), widths, listed


def _std(path: Path, key: str, chosen: AvirisOptions, cube: Cube) -> tuple[Values | None, str]:
    """Return the stated standard deviation of the reflectance, and its file."""
    if chosen.uncertainty == "none" or cube.kind != "reflectance":
        return None, ""
    said = chosen.uncertainty if isinstance(chosen.uncertainty, Path) else None
    found = companion(path, key, "*_UNC_ORT.nc", "*UNC*.nc", said=said)
    if found is None:
        return None, ""
    with open_hdf5(found, WANTED) as file:
        other = _find(file, found, ("uncertainty",))
    if (other.bands, *other.shape) != (cube.bands, *cube.shape):
        raise SceneError(
            f"{found} has {other.bands} bands of {other.shape} pixels, {path.name} has {cube.bands} of {cube.shape}",
            "an uncertainty of this image, pixel by pixel and band by band",
            "Name the right one with the reader option uncertainty=PATH, or leave it out with uncertainty=none",
        )
    return Values(found, other), found.name


def _fill(field: Any) -> float | None:
    return _number(field.attrs.get("_FillValue", field.attrs.get("missing_value")))


def _number(value: Any) -> float | None:
    return None if value is None else float(np.ravel(value)[0])


def _sensor(title: str) -> str:
    known = ("AVIRIS-NG", "AVIRIS-3", "AVIRIS-5")
    return next((name for name in known if name.lower() in title.lower()), "AVIRIS")


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if value is None:
        return ""
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip("\0 ")
