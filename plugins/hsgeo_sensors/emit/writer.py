"""Synthetic EMIT granules, faithful to the netCDF-4 layout, of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["Acquisition", "begin_emit", "rows_of", "write_emit"]

FILL = np.float32(-9999)
UNSET = np.uint8(241)
"""What -9999 becomes in one byte."""
CELL = 0.000542232520256367  # degrees: the 60 m grid of the mission at the equator
BLOCK = 256  # rows of the table made at a time


@dataclass(frozen=True)
class Acquisition:
    """What all files of one acquisition have in common.

    Parameters
    ----------
    shape : tuple of int
        Rows (downtrack) and columns (crosstrack).
    crs : object
        Projected reference system in which the swath is a parallelogram; anything rasterio takes.
    transform : affine.Affine, optional
        From (column, row) of pixel corners to metres in ``crs``. None: pixels of 60 m x 62 m, flown towards 52 degrees
        from north, as the station does on its way north: neither rows nor columns follow the compass.
    cell : float
        Side of a cell of the ortho grid, degrees.
    start : str
        ISO 8601, UTC.
    orbit, scene : int
        For the file names.
    orientation : str or None
        ``crosstrack_orientation``; None: not said, as in the first months of the mission.
    build : str
        Software build.
    unlocated : tuple of int
        First rows and last row of a strip without latitude and longitude.
    """

    shape: tuple[int, int]
    crs: Any = "EPSG:32611"
    transform: Any = None
    cell: float = CELL
    start: str = "2023-04-22T19:59:24+0000"
    orbit: int = 2311213
    scene: int = 2
    orientation: str | None = "as seen on ground"
    build: str = "010619"
    unlocated: tuple[int, int] = (0, 0)

    def name(self, product: str, version: int = 1) -> str:
        """Return the file name of a product, such as ``L2A_RFL``."""
        time = self.start[:19].replace("-", "").replace(":", "")
        return f"EMIT_{product}_{version:03d}_{time}_{self.orbit:07d}_{self.scene:03d}.nc"

    @property
    def flight_line(self) -> str:
        """Name of the acquisition inside the files."""
        return f"emit{self.start[:19].replace('-', '').replace(':', '').lower()}_o{self.orbit % 100000:05d}_s000"

    def affine(self) -> Any:
        """Return the transform, or the default one."""
        from affine import Affine

        if self.transform is not None:
            return self.transform
        heading = np.deg2rad(52.0)
        east, north = np.sin(heading), np.cos(heading)  # of one step along track; across track: left of it
        return Affine(-60 * north, 62 * east, 601_000.0, 60 * east, 62 * north, 3_905_000.0)


def write_emit(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    acquisition: Acquisition | None = None,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    good: npt.ArrayLike | None = None,
    dataset: str = "reflectance",
) -> Path:
    """Write spectra as an EMIT file: L2A reflectance, its uncertainty, or L1B radiance.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.nc``; or an existing folder, in which the file gets its proper name.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, y, x)``, NaN where nothing was measured, or blocks of whole rows ``(band, rows, x)``: memory then stays
        at a few blocks. Reflectance of bad bands is replaced by -0.01, as in the product.
    acquisition : Acquisition, optional
        Needed when blocks are given; None: one of the size of ``spectra``.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres.
    good : array_like of bool, shape (band,), optional
        None: bad in 1325-1435 and 1770-1962 nm. Radiance has no such flags.
    dataset : {"reflectance", "reflectance_uncertainty", "radiance"}
        What the numbers are.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If bands or blocks do not fit the acquisition.
    """
    product, units = {
        "reflectance": ("L2A_RFL", "unitless"),
        "reflectance_uncertainty": ("L2A_RFLUNCERT", "unitless"),
        "radiance": ("L1B_RAD", "uW/cm^2/SR/nm"),
    }[dataset]
    centres, widths = np.asarray(wavelength, np.float32), np.asarray(fwhm, np.float32)
    blocks: Iterable[np.ndarray]
    if acquisition is None or isinstance(spectra, np.ndarray):
        cube = np.asarray(spectra, np.float32)
        acquisition, blocks = acquisition or Acquisition(cube.shape[1:]), rows_of(cube)
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    wet = (centres > 1325) & (centres < 1435) | (centres > 1770) & (centres < 1962)
    usable = ~wet if good is None else np.asarray(good, bool)
    if not centres.shape == widths.shape == usable.shape:
        raise ConfigError(f"{centres.size} wavelengths, {widths.size} fwhm, {usable.size} flags", "one for each band")
    path, file = begin_emit(path, product, acquisition, bands=centres.size)
    with file:
        parameters = file.create_group("sensor_band_parameters")
        variable(file, parameters, "wavelengths", centres, ("bands",), FILL, units="nm")
        variable(file, parameters, "fwhm", widths, ("bands",), FILL, units="nm")
        if dataset != "radiance":
            flags = usable.astype(np.uint8)
            variable(file, parameters, "good_wavelengths", flags, ("bands",), UNSET, units="unitless")
        dims = ("downtrack", "crosstrack", "bands")
        out = variable(file, file, dataset, (*acquisition.shape, centres.size), dims, FILL, units=units)
        row = 0
        for block in blocks:
            stop = row + block.shape[1]
            if (block.shape[0], block.shape[2]) != (centres.size, acquisition.shape[1]) or stop > acquisition.shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({centres.size}, rows, {acquisition.shape[1]}), {acquisition.shape[0]} rows in all",
                )
            pixels = np.moveaxis(np.asarray(block, np.float32), 0, 2).copy()  # bands last
            empty = np.isnan(pixels)
            if dataset == "reflectance":
                pixels[..., ~usable] = -0.01
                empty[..., ~usable] = empty[..., usable].all(axis=-1)[..., None]
            pixels[empty] = FILL
            out[row:stop] = pixels
            row = stop
        if row != acquisition.shape[0]:
            raise ConfigError(f"{row} rows were given", f"{acquisition.shape[0]} rows")
    return path


def rows_of(cube: np.ndarray, step: int = 64) -> Iterator[np.ndarray]:
    """Cut a cube into blocks of rows.

    Parameters
    ----------
    cube : numpy.ndarray, shape (band, y, x)
        The cube.
    step : int
        Rows of a block.

    Yields
    ------
    numpy.ndarray, shape (band, rows, x)
        A view.
    """
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def begin_emit(path: str | Path, product: str, acquisition: Acquisition, *, bands: int, version: int = 1) -> Any:
    """Create a file with what all products have: attributes, dimensions, and the places of the pixels.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or a folder.
    product : str
        Such as ``L2A_MASK``.
    acquisition : Acquisition
        Of the granule.
    bands : int
        Length of the last dimension.
    version : int
        Of the product.

    Returns
    -------
    tuple of (pathlib.Path, h5py.File)
        The path, and the file open for writing.
    """
    import h5py
    from rasterio.crs import CRS
    from rasterio.warp import transform as warp

    path = Path(path)
    path = path / acquisition.name(product, version) if path.is_dir() else path
    height, width = acquisition.shape
    affine = acquisition.affine()
    east, top = _apply(affine, np.array([0.0, width, 0.0, width]), np.array([0.0, 0.0, height, height]))
    lon, lat = warp(acquisition.crs, "EPSG:4326", east, top)
    cell = acquisition.cell
    west, north = min(lon) - 1.3 * cell, max(lat) + 2.6 * cell  # the grid is not aligned with any pixel
    across, down = int(np.ceil((max(lon) - west) / cell)) + 2, int(np.ceil((north - min(lat)) / cell)) + 1
    file = h5py.File(path, "w")
    stop = str(np.datetime64(acquisition.start[:19]) + np.timedelta64(12, "s")) + "+0000"
    about: dict[str, Any] = {
        "ncei_template_version": "NCEI_NetCDF_Swath_Template_v2.0",
        "Conventions": "CF-1.13",
        "sensor": "EMIT (Earth Surface Mineral Dust Source Investigation)",
        "instrument": "EMIT",
        "platform": "ISS",
        "title": f"synthetic EMIT {product} 60 m V{version:03d}",
        "flight_line": acquisition.flight_line,
        "time_coverage_start": acquisition.start,
        "time_coverage_end": stop,
        "software_build_version": acquisition.build,
        "product_version": f"V{version:03d}",
        "spatial_ref": CRS.from_epsg(4326).to_wkt(),
        "day_night_flag": "Day",
    }
    if acquisition.orientation is not None:
        about["crosstrack_orientation"] = acquisition.orientation
    for name, value in about.items():
        file.attrs[name] = np.bytes_(value)  # netCDF writes plain text so, without its length
    for name, number in zip(
        ("easternmost_longitude", "northernmost_latitude", "westernmost_longitude", "southernmost_latitude"),
        (west + across * cell, north, west, north - down * cell),
        strict=True,
    ):
        file.attrs[name] = np.float64(number)
    file.attrs["spatialResolution"] = np.float64(cell)
    file.attrs["geotransform"] = np.array([west, cell, 0.0, north, 0.0, -cell])
    sizes = {"downtrack": height, "crosstrack": width, "bands": bands, "ortho_y": down, "ortho_x": across}
    for name, size in sizes.items():
        dimension(file, name, size)
    _places(file, acquisition, affine, (west, north), (down, across))
    return path, file


def dimension(file: Any, name: str, size: int) -> None:
    """Add a dimension without values, as netCDF-4 stores it in HDF5.

    Parameters
    ----------
    file : h5py.File
        The file.
    name : str
        Of the dimension.
    size : int
        Its length.
    """
    number = sum("_Netcdf4Dimid" in item.attrs for item in file.values())
    scale = file.create_dataset(name, (size,), ">f4")
    scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    scale.attrs["_Netcdf4Dimid"] = np.int32(number)


def variable(
    file: Any,
    group: Any,
    name: str,
    values: np.ndarray | tuple[int, ...],
    dims: tuple[str, ...],
    fill: np.generic,
    *,
    units: str,
    **layout: Any,
) -> Any:
    """Add a variable with its dimensions, fill value and units.

    Parameters
    ----------
    file, group : h5py.Group
        The root, which has the dimensions, and where the variable goes.
    name : str
        Of the variable.
    values : numpy.ndarray or tuple of int
        The values, or a shape to be filled later.
    dims : tuple of str
        Names of its dimensions.
    fill : numpy scalar
        ``_FillValue``; its dtype is that of the variable.
    units : str
        As the product writes them.
    **layout
        For ``h5py.Group.create_dataset``: chunks, compression.

    Returns
    -------
    h5py.Dataset
        The variable.
    """
    shape = values if isinstance(values, tuple) else values.shape
    out = group.create_dataset(name, shape, fill.dtype, **layout)
    if not isinstance(values, tuple):
        out[...] = values
    out.attrs["_FillValue"] = np.array([fill], fill.dtype)
    out.attrs["units"] = np.bytes_(units)
    for axis, dim in enumerate(dims):
        out.dims[axis].attach_scale(file[dim])
    return out


def _apply(affine: Any, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def _places(
    file: Any, acquisition: Acquisition, affine: Any, corner: tuple[float, float], cells: tuple[int, int]
) -> None:
    """Write latitude, longitude and height of each pixel, and the pixel of each cell of the ortho grid."""
    from rasterio.warp import transform as warp

    height, width = acquisition.shape
    location = file.create_group("location")
    swath, nothing = ("downtrack", "crosstrack"), np.float64(-9999)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    east, north = _apply(affine, columns, rows)
    lon, lat = (
        np.reshape(v, acquisition.shape) for v in warp(acquisition.crs, "EPSG:4326", east.ravel(), north.ravel())
    )
    hidden = slice(*acquisition.unlocated)
    for name, values, units in (("lon", lon, "degrees east"), ("lat", lat, "degrees north"), ("elev", 0 * lon, "m")):
        values[hidden] = nothing
        variable(file, location, name, values, swath, nothing, units=units)
    chunk = tuple(max(1, -(-n // 2)) for n in cells)
    packing = {"chunks": chunk, "compression": "gzip", "compression_opts": 9, "shuffle": True}
    x, y = (
        variable(file, location, name, cells, ("ortho_y", "ortho_x"), np.int32(0), units="pixel location", **packing)
        for name in ("glt_x", "glt_y")
    )
    back = ~affine
    lon_of = corner[0] + (np.arange(cells[1]) + 0.5) * acquisition.cell
    for first in range(0, cells[0], BLOCK):
        last = min(first + BLOCK, cells[0])
        lat_of = corner[1] - (np.arange(first, last) + 0.5) * acquisition.cell
        grid = np.meshgrid(lon_of, lat_of)
        e, n = (np.array(v) for v in warp("EPSG:4326", acquisition.crs, grid[0].ravel(), grid[1].ravel()))
        column, row = (np.floor(v).astype(np.int64).reshape(last - first, -1) for v in _apply(back, e, n))
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        x[first:last] = np.where(inside, column + 1, 0)
        y[first:last] = np.where(inside, row + 1, 0)
