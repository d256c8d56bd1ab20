"""Where the formats of one HDF5 file keep what they cannot do without, and ways to change it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

OWN = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates")
SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO"
GRID = "HDFEOS/GRIDS/HYP"
SITE = "BART/Reflectance"
Where = str | tuple[str, str]  # a dataset or group; or one of its attributes


class Layout(NamedTuple):
    """Names: of the cube, its group, an attribute, the wavelengths, and something with an entry for each row."""

    cube: str
    group: Where | None
    attribute: Where | None
    wavelengths: Where | None
    rows: str | None


LAYOUT = {
    "PRISMA": Layout(
        f"{SWATH}/Data Fields/SWIR_Cube",
        SWATH,
        ("/", "L2ScaleSwirMin"),
        ("/", "List_Cw_Swir"),
        f"{SWATH}/Geolocation Fields/Latitude",
    ),
    "EMIT": Layout(
        "reflectance",
        "sensor_band_parameters",
        ("reflectance", "_FillValue"),
        "sensor_band_parameters/wavelengths",
        "location/lat",
    ),
    "Tanager": Layout(
        f"{GRID}/Data Fields/surface_reflectance",
        GRID,
        (GRID, "epsg_code"),
        (f"{GRID}/Data Fields/surface_reflectance", "wavelengths"),
        f"{GRID}/Data Fields/sun_zenith",
    ),
    "NEON": Layout(
        f"{SITE}/Reflectance_Data",
        f"{SITE}/Metadata/Coordinate_System",
        (f"{SITE}/Reflectance_Data", "Scale_Factor"),
        f"{SITE}/Metadata/Spectral_Data/Wavelength",
        f"{SITE}/Reflectance_Data",
    ),
    "AVIRIS netCDF": Layout(
        "reflectance/reflectance",
        "reflectance",
        None,  # each has a second source
        "reflectance/wavelength",
        "northing",
    ),
    "CF netCDF": Layout("reflectance", None, None, "wavelength", None),
    "mat 7.3": Layout("Y", "nRow", None, None, "Y"),
    "netCDF": Layout("spectra", None, None, "wavelength", "y"),
}


def put(file: h5py.File, name: str, values: np.ndarray, **how: Any) -> h5py.Dataset:
    """Write a dataset anew, with its attributes, and its dimensions where they still fit."""
    old = file[name]
    attrs = {key: value for key, value in old.attrs.items() if key not in OWN}
    dims = [old.dims[k][0].name if len(old.dims[k]) else None for k in range(old.ndim)]
    del file[name]
    made = file.create_dataset(name, data=values, **how)
    made.attrs.update(attrs)
    for k, dim in enumerate(dims[: made.ndim]):
        if dim is not None and dim in file:
            made.dims[k].attach_scale(file[dim])
    return made


def drop(where: Where) -> Callable[[h5py.File], None]:
    """Take something away."""

    def damage(file: h5py.File) -> None:
        if isinstance(where, str):
            del file[where]
        else:
            del file[where[0]].attrs[where[1]]

    return damage


def change(where: Where, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[h5py.File], None]:
    """Write other values."""

    def damage(file: h5py.File) -> None:
        if isinstance(where, str):
            put(file, where, make(file[where][()]))
        else:
            file[where[0]].attrs[where[1]] = make(np.asarray(file[where[0]].attrs[where[1]]))

    return damage


def damaged(path: Path, damage: Callable[[h5py.File], None]) -> Path:
    """Damage a file."""
    with h5py.File(path, "r+") as file:
        damage(file)
    return path
