"""Synthetic GeoTIFF scenes as the EnMAP-Box exports them: wavelength, fwhm and bbl in the tags of each band."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["write_geotiff"]


def write_geotiff(
    path: str | Path,
    spectra: npt.ArrayLike,
    *,
    wavelength: npt.ArrayLike | None,
    fwhm: npt.ArrayLike | None = None,
    bbl: npt.ArrayLike | None = None,
    units: str | None = "Nanometers",
    dtype: str = "int16",
    scale: float = 10000.0,
    say_scale: bool = True,
    nodata: float = -32768.0,
    crs: Any = None,
    transform: Any = None,
    block: int = 32,
) -> Path:
    """Write reflectance as a tiled GeoTIFF.

    Parameters
    ----------
    path : str or pathlib.Path
        Where to.
    spectra : array_like, shape (band, y, x)
        Reflectance, NaN for no measurement.
    wavelength, fwhm : array_like, shape (band,), optional
        In ``units``; None: left out.
    bbl : array_like, shape (band,), optional
        1 good, 0 bad.
    units : str or None
        ``wavelength_units`` of the bands; None: left out.
    dtype : str
        Of the stored numbers.
    scale : float
        Stored number for reflectance 1.
    say_scale : bool
        Whether the file has GDAL's scale (the EnMAP-Box tiles have it, mosaics made from them often not).
    nodata : float
        Stored for NaN.
    crs : object, optional
        Anything rasterio takes for a CRS.
    transform : affine.Affine, optional
        From (column, row) of pixel corners to map coordinates.
    block : int
        Side of the tiles, a multiple of 16.

    Returns
    -------
    pathlib.Path
        What was written.
    """
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    path = Path(path)
    cube = np.asarray(spectra, np.float64)
    stored = np.where(np.isnan(cube), nodata, cube * scale if np.dtype(dtype).kind == "f" else np.rint(cube * scale))
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": cube.shape[0], "height": cube.shape[1], "width": cube.shape[2], "dtype": dtype,
        "nodata": nodata, "crs": crs, "tiled": True, "blockxsize": block, "blockysize": block, "interleave": "band",
        "compress": "deflate",
    }  # fmt: skip
    if transform is not None:
        profile["transform"] = transform
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # scenes without a CRS are made on purpose
        with rasterio.open(path, "w", **profile) as file:
            file.write(stored.astype(dtype))
            if say_scale:
                file.scales, file.offsets = [1.0 / scale] * cube.shape[0], [0.0] * cube.shape[0]
            for k in range(cube.shape[0]):
                tags = {
                    name: str(np.asarray(values)[k])
                    for name, values in (("wavelength", wavelength), ("fwhm", fwhm), ("bbl", bbl))
                    if values is not None
                }
                if units is not None and wavelength is not None:
                    tags["wavelength_units"] = units
                file.update_tags(k + 1, **tags)
    return path
