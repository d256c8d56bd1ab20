"""A cube of known numbers for the tests of AVIRIS netCDF-4, and what these files go without."""

import numpy as np
from rasterio.transform import Affine

from hsgeo.scene import check_scene

UP = Affine(4.9, 0.0, 412003.5, 0.0, -4.9, 4120077.25)
ORTHO = "AV520250508t173511_000_L2A_OE_f9b3b7e7_RFL_ORT.nc"
WAVELENGTH, FWHM = np.linspace(381.8, 2499.7, 26), np.linspace(5.57, 5.85, 26)
BANDS = {"wavelength": WAVELENGTH, "fwhm": FWHM, "crs": 32612}


def known_cube():
    """Each number differs; a void strip and a lone missing number."""
    band, y, x = np.meshgrid(np.arange(26), np.arange(17), np.arange(11), indexing="ij")
    values = (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)
    values[:, :3, 0] = np.nan
    values[7, 4, 5] = np.nan
    return values


def assert_values(scene, values):
    check_scene(scene)
    assert scene.spectra.shape == (26, 17, 11)
    for band, y, x in ((0, 0, 1), (25, 16, 10), (7, 4, 5), (13, 3, 7), (21, 1, 0)):
        assert np.isclose(scene.spectra.values[band, y, x], values[band, y, x], rtol=0, atol=1e-7, equal_nan=True)


def dropped(*names):
    def drop(file):
        for name in names:
            del file[name]

    return drop


def only_dimension(file, name, *fields):
    """Leave of a variable its dimension, as the netCDF library stores one that nobody wrote numbers for."""
    size = file[name].shape[0]
    axes = [(file[field], file[field].shape.index(size)) for field in fields]
    for data, axis in axes:
        for scale in data.dims[axis].values():
            data.dims[axis].detach_scale(scale)
    del file[name]
    made = file.create_dataset(name, data=np.zeros(size, ">f4"))
    made.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    for data, axis in axes:
        data.dims[axis].attach_scale(made)
