"""Synthetic AVIRIS netCDF-4 files: L2A on a map grid, L1B on the sensor grid with its lookup table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_aviris_netcdf", "write_aviris_swath"]

VOID = np.float32(-9999.0)


def write_aviris_netcdf(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    crs: Any,
    transform: Any,
    shape: tuple[int, int] | None = None,
    group: str = "reflectance",
    names: tuple[str, str] = ("reflectance", "wavelength"),
    micrometres: bool = False,
    coordinates: str = "centre",
    title: str = "AVIRIS-5 L2A Surface Reflectance",
    chunk: int = 256,
) -> Path:
    """Write a cube on a north-up map grid, as L2A products are.

    Parameters
    ----------
    path : str or pathlib.Path
        Such as ``AV520250508t173511_000_L2A_OE_f9b3b7e7_RFL_ORT.nc``.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, y, x)``, NaN for no measurement, or blocks of whole rows ``(band, rows, x)``.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres.
    crs : object
        Anything rasterio takes for a projected CRS.
    transform : affine.Affine
        Not rotated.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    group : str
        ``"reflectance"`` or ``"uncertainty"``.
    names : tuple of str
        Of the cube and of its band centres; older files have ``("Rfl", "wl")``.
    micrometres : bool
        Whether band centres and widths are in micrometres, without a unit, as in older files.
    coordinates : {"centre", "corner", "shifted"}
        What ``easting`` and ``northing`` are: pixel centres, as documented; corners; or off by a third of a pixel.
    title : str
        Root attribute.
    chunk : int
        Rows and columns of the chunks, which have 10 bands.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If blocks do not fit.
    """
    import h5py

    blocks: Iterable[np.ndarray]
    if shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), [cube]
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    ny, nx = shape
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"], file.attrs["title"] = "CF-1.6", title
        off = {"centre": 0.5, "corner": 0.0, "shifted": 1 / 3}[coordinates]
        east = file.create_dataset("easting", data=transform.c + transform.a * (np.arange(nx) + off))
        north = file.create_dataset("northing", data=transform.f + transform.e * (np.arange(ny) + off))
        _mapping(file, crs, transform)
        inside = file.create_group(group)
        cube_name, wave_name = names
        wave = _bands(inside, wave_name, wavelength, fwhm, micrometres)
        size = (len(wave), ny, nx)
        data = _chunked(inside, cube_name, size, chunk)
        for axis, scale in enumerate((wave, north, east)):
            _attach(data, axis, scale)
        data.attrs["grid_mapping"], data.attrs["units"] = "transverse_mercator", "unitless"
        _rows(data, blocks)
    return Path(path)


def write_aviris_swath(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    crs: Any,
    sensor_grid: Any,
    cell: float,
    chunk: int = 256,
    flaw: str = "",
) -> Path:
    """Write radiance on the sensor grid, as AVIRIS-5 L1B products are, with positions and lookup table.

    Parameters
    ----------
    path : str or pathlib.Path
        Such as ``AV520250508t173511_000_L1B_RDN_1032338f_RDN.nc``.
    spectra : array_like, shape (band, line, sample)
        Radiance, uW cm-2 nm-1 sr-1; NaN for no measurement.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres.
    crs : object
        Of the map grid of the lookup table, projected.
    sensor_grid : affine.Affine
        Where the flight line lies: from (sample, line) of pixel corners to map coordinates.
    cell : float
        Side of a cell of the lookup table, metres.
    chunk : int
        Lines and samples of the chunks, which have 10 bands.
    flaw : {"", "swapped", "flipped"}
        A lookup table that is wrong: sample and line exchanged, or lines counted from the end.

    Returns
    -------
    pathlib.Path
        What was written.
    """
    import h5py
    from affine import Affine
    from rasterio.warp import transform as warp

    cube = np.asarray(spectra)
    _, ny, nx = cube.shape
    corners = np.array([sensor_grid * place for place in ((0, 0), (nx, 0), (0, ny), (nx, ny))])
    west, north = np.floor(corners[:, 0].min() / cell) * cell, np.ceil(corners[:, 1].max() / cell) * cell
    cells_x = int(np.ceil((corners[:, 0].max() - west) / cell))
    cells_y = int(np.ceil((north - corners[:, 1].min()) / cell))
    east_c, north_c = west + cell * (np.arange(cells_x) + 0.5), north - cell * (np.arange(cells_y) + 0.5)
    grid_e, grid_n = np.meshgrid(east_c, north_c)
    back = ~sensor_grid
    sample = np.floor(back.a * grid_e + back.b * grid_n + back.c).astype(np.int32) + 1
    line = np.floor(back.d * grid_e + back.e * grid_n + back.f).astype(np.int32) + 1
    outside = (sample < 1) | (sample > nx) | (line < 1) | (line > ny)
    sample[outside], line[outside] = 0, 0
    filled = np.add.outer(np.arange(cells_y), np.arange(cells_x)) % 11 == 5  # cells that no pixel hit: a neighbour's
    sample[filled], line[filled] = -sample[filled], -line[filled]
    if flaw == "swapped":
        sample, line = line, sample
    elif flaw == "flipped":
        line = np.where(line == 0, 0, np.sign(line) * (ny + 1 - np.abs(line))).astype(np.int32)

    rows, columns = np.mgrid[:ny, :nx] + 0.5
    here_e = sensor_grid.a * columns + sensor_grid.b * rows + sensor_grid.c
    here_n = sensor_grid.d * columns + sensor_grid.e * rows + sensor_grid.f
    lon, lat = warp(crs, "EPSG:4326", here_e.ravel(), here_n.ravel())
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"], file.attrs["title"] = "CF-1.6", "AVIRIS-5 L1B Calibrated Radiance"
        for name, values in (("lat", lat), ("lon", lon)):
            file.create_dataset(name, data=np.reshape(values, (ny, nx)), compression="gzip")
        _mapping(file, crs, Affine(cell, 0.0, west, 0.0, -cell, north))
        table = file.create_group("geolocation_lookup_table")
        table["easting"], table["northing"] = east_c, north_c
        for name, numbers in (("sample", sample), ("line", line)):
            table.create_dataset(name, data=numbers, compression="gzip").attrs["_FillValue"] = np.int32(0)
        inside = file.create_group("radiance")
        wave = _bands(inside, "wavelength", wavelength, fwhm, False)
        data = _chunked(inside, "radiance", cube.shape, chunk)
        data.attrs["units"] = "uW nm-1 cm-2 sr-1"
        _rows(data, [cube])
        for axis, (name, scale) in enumerate((("wavelength", wave), ("lines", ny), ("samples", nx))):
            made = scale if name == "wavelength" else inside.create_dataset(name, data=np.arange(scale, dtype=np.int32))
            _attach(data, axis, made)
    return Path(path)


def _mapping(file: Any, crs: Any, transform: Any) -> None:
    from rasterio.crs import CRS

    mapping = file.create_dataset("transverse_mercator", data=np.int32(0))
    wkt = CRS.from_user_input(crs).to_wkt()
    mapping.attrs["crs_wkt"], mapping.attrs["spatial_ref"] = wkt, wkt
    order = (transform.c, transform.a, transform.b, transform.f, transform.d, transform.e)  # GDAL's
    mapping.attrs["GeoTransform"] = " ".join(repr(float(number)) for number in order)


def _bands(inside: Any, name: str, wavelength: Any, fwhm: Any, micrometres: bool) -> Any:
    factor = 1000.0 if micrometres else 1.0
    wave = inside.create_dataset(name, data=(np.asarray(wavelength, float) / factor).astype(np.float32))
    inside.create_dataset("fwhm", data=(np.asarray(fwhm, float) / factor).astype(np.float32))
    if not micrometres:
        wave.attrs["units"] = "nm"
    return wave


def _chunked(inside: Any, name: str, size: tuple[int, int, int], chunk: int) -> Any:
    chunks = tuple(min(n, side) for n, side in zip(size, (10, chunk, chunk), strict=True))
    data = inside.create_dataset(
        name, size, np.float32, chunks=chunks, compression="gzip", compression_opts=1, fillvalue=VOID
    )
    data.attrs["_FillValue"] = np.array([VOID])
    return data


def _attach(data: Any, axis: int, scale: Any) -> None:
    if not scale.is_scale:
        scale.make_scale(scale.name.rsplit("/")[-1])
    data.dims[axis].attach_scale(scale)


def _rows(data: Any, blocks: Iterable[np.ndarray]) -> None:
    row = 0
    for block in blocks:
        stop = row + block.shape[1]
        if (block.shape[0], block.shape[2]) != (data.shape[0], data.shape[2]) or stop > data.shape[1]:
            raise ConfigError(f"a block of shape {block.shape} at row {row} does not fit", f"parts of {data.shape}")
        data[:, row:stop] = np.where(np.isnan(block), VOID, block)
        row = stop
    if row != data.shape[1]:
        raise ConfigError(f"{row} rows were given", f"{data.shape[1]} rows")
