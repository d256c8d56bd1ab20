"""Synthetic benchmark cubes as public files have them: flat or cubic, by MATLAB or Python, every version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["write_mat", "write_npz"]


def write_mat(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike | None = None,
    version: str = "5",
    key: str = "Y",
    layout: str = "band-pixel",
    order: str = "F",
    size_keys: tuple[str, str] | None = ("nRow", "nCol"),
    max_value: float | None = 5000.0,
    dtype: str = "uint16",
    selected: npt.ArrayLike | None = None,
    by: str = "MATLAB",
    compress: bool = True,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write reflectance as a MATLAB file.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.mat``.
    spectra : array_like, shape (band, y, x)
        Reflectance; NaN only in files of floats.
    wavelength : array_like, optional
        Nanometres, stored as ``wavelength``; None: left out.
    version : {"5", "7.3"}
        Of the format.
    key : str
        Name of the cube.
    layout : {"band-pixel", "pixel-band", "y-x-band", "band-y-x"}
        Axes of the array as MATLAB or NumPy would index it.
    order : {"F", "C"}
        How pixels are flattened.
    size_keys : tuple of str, optional
        Names of the numbers of rows and columns; None: left out.
    max_value : float, optional
        Stored number for 1, stored as ``maxValue``; None: left out, and numbers are stored as they are.
    dtype : str
        Of the cube.
    selected : array_like, optional
        ``SlectBands``, counted from 1.
    by : {"MATLAB", "Python"}
        Whose header the file gets.
    compress : bool
        Whether variables are packed.
    extra : dict, optional
        More variables.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If an argument is not one of those listed.
    """
    path = Path(path)
    cube = np.asarray(spectra)
    _, height, width = cube.shape
    worth = 1.0 if max_value is None else max_value
    stored = cube * worth
    stored = (np.rint(stored) if np.dtype(dtype).kind in "iu" else stored).astype(dtype)
    variables: dict[str, Any] = {key: _arrange(stored, layout, order)}
    if size_keys is not None:
        variables |= {size_keys[0]: np.array([[height]], "f8"), size_keys[1]: np.array([[width]], "f8")}
    if max_value is not None:
        variables["maxValue"] = np.array([[max_value]], "f8")
    if selected is not None:
        variables["SlectBands"] = np.asarray(selected, "f8").reshape(-1, 1)
    if wavelength is not None:
        variables["wavelength"] = np.asarray(wavelength, "f8").reshape(1, -1)
    variables |= extra or {}
    if version == "5":
        from scipy.io import savemat

        savemat(path, variables, do_compression=compress)
        if by == "MATLAB":
            with path.open("r+b") as file:
                file.write(b"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Thu Jan 17 11:12:13 2013".ljust(116))
    elif version == "7.3":
        _write_hdf5(path, variables, by, compress)
    else:
        raise ConfigError(f"version {version!r}", "'5' or '7.3'")
    return path


def _arrange(stored: np.ndarray, layout: str, order: str) -> np.ndarray:
    bands = len(stored)
    flat = np.stack([plane.flatten(order) for plane in stored]) if "pixel" in layout else stored
    known = {
        "band-pixel": flat,
        "pixel-band": flat.reshape(bands, -1).T,
        "y-x-band": stored.transpose(1, 2, 0),
        "band-y-x": stored,
    }
    if layout not in known:
        raise ConfigError(f"layout {layout!r}", ", ".join(known))
    return known[layout]


def _write_hdf5(path: Path, variables: dict[str, Any], by: str, compress: bool) -> None:
    """Write what MATLAB's save -v7.3 writes: each array turned round, with its class, behind a header of 512 bytes."""
    import h5py

    classes = {"f8": "double", "f4": "single", "u1": "uint8", "u2": "uint16", "i2": "int16", "i4": "int32"}
    with h5py.File(path, "w", userblock_size=512 if by == "MATLAB" else 0) as file:
        for name, values in variables.items():
            array = np.asarray(values)
            turned = array.T if by == "MATLAB" else array
            packed = {"compression": "gzip", "compression_opts": 3} if compress and array.size > 1000 else {}
            item = file.create_dataset(name, data=turned, **packed)
            if by == "MATLAB":
                item.attrs["MATLAB_class"] = np.bytes_(classes[array.dtype.str[1:]])
    if by == "MATLAB":
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan 17 11:12:13 2013 HDF5 schema 1.00 ."
        with path.open("r+b") as raw:
            raw.write(text.ljust(116) + b"\0" * 8 + b"\x00\x02IM")


def write_npz(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike | None = None,
    fwhm: npt.ArrayLike | None = None,
    key: str = "image",
    layout: str = "y-x-band",
    order: str = "C",
    size_keys: tuple[str, str] | None = None,
    scale: float | None = 10000.0,
    dtype: str = "int16",
    compress: bool = False,
    epsg: int | None = None,
    geotransform: npt.ArrayLike | None = None,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write reflectance as a NumPy archive.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.npz``.
    spectra : array_like, shape (band, y, x)
        Reflectance.
    wavelength, fwhm : array_like, shape (band,), optional
        Nanometres, stored as ``wavelength_nm`` and ``fwhm_nm``.
    key, layout, order, size_keys, dtype, extra
        As for `write_mat`.
    scale : float, optional
        Stored number for 1, stored as ``scale``; None: left out, and numbers are stored as they are.
    compress : bool
        Whether arrays are packed.
    epsg : int, optional
        ``crs_epsg``.
    geotransform : array_like, shape (6,), optional
        ``transform_gdal``.

    Returns
    -------
    pathlib.Path
        What was written.
    """
    path = Path(path)
    cube = np.asarray(spectra) * (1.0 if scale is None else scale)
    stored = (np.rint(cube) if np.dtype(dtype).kind in "iu" else cube).astype(dtype)
    variables: dict[str, Any] = {key: _arrange(stored, layout, order)}
    if size_keys is not None:
        variables |= {size_keys[0]: stored.shape[1], size_keys[1]: stored.shape[2]}
    for name, value in (
        ("scale", scale), ("wavelength_nm", wavelength), ("fwhm_nm", fwhm), ("crs_epsg", epsg),
        ("transform_gdal", geotransform),
    ):  # fmt: skip
        if value is not None:
            variables[name] = np.asarray(value)
    (np.savez_compressed if compress else np.savez)(path, **(variables | (extra or {})))
    return path
