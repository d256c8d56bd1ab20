"""Open a raster of fractions, one band per class, and find out what its whole numbers mean."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.evaluation.sound import COVER, scaled

__all__ = ["read_raster"]

_SCALES = (1.0, 100.0, 255.0, 1000.0, 10000.0)  # by which whole-number rasters store fractions
_NEAR = 0.02  # relative: the largest sum of classes is this close to the factor
_LIBRARIES = (".sli", ".csv", ".txt")


def read_raster(path: Path, scale: float | None) -> tuple[xr.Dataset, list[str], float | None]:
    """Read a truth from a raster: a product of hsgeo, or one band per class.

    Parameters
    ----------
    path : pathlib.Path
        GeoTIFF or anything else that GDAL reads.
    scale : float or None
        What its numbers are multiplied by; None: found out for whole numbers.

    Returns
    -------
    truth : xarray.Dataset
        ``abundance (endmember, y, x)``, NaN where nodata.
    notes : list of str
        What the reader of the score should know.
    cover : float or None
        Least sum of the classes that a pixel should have; None where classes may be missing.

    Raises
    ------
    ConfigError
        It is no raster, or its whole numbers are no fractions.
    """
    import rioxarray
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    from hsgeo.product.opening_cog import open_cog

    product = open_cog(path, None) if path.suffix.lower() in (".tif", ".tiff") else None
    if product is not None:
        product = product.set_coords("spatial_ref") if "spatial_ref" in product.data_vars else product
        return scaled(product, scale), [], None
    _refuse_libraries(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            raster = rioxarray.open_rasterio(path, mask_and_scale=False)
        except (RasterioError, OSError, ValueError) as error:
            raise ConfigError(
                f"{path} cannot be read as a raster",
                "a GeoTIFF with one band per class, .npz, .geojson, .shp, .gpkg, or a product",
                "See whether it is whole, and not another kind of file",
            ) from error
        assert isinstance(raster, xr.DataArray)
        values = raster.values
        named = raster.attrs.get("long_name")
        crs, transform = raster.rio.crs, raster.rio.transform()
        nodata = raster.rio.nodata
    A = values.astype(np.float32)
    if nodata is not None:
        A[values == nodata] = np.nan
    notes = []
    if scale is None:
        scale = _guess_scale(A, whole=values.dtype.kind in "iu")
        if scale != 1:
            notes.append(f"the truth holds whole numbers and was multiplied by {scale:g} (--truth-scale)")
    names = [named] if isinstance(named, str) else list(named or ())
    if len(names) != len(A) or len(set(names)) < len(names) or not all(names):
        names = [f"band-{k + 1}" for k in range(len(A))]
    truth = xr.Dataset(
        {"abundance": (("endmember", "y", "x"), A * np.float32(scale))},
        {"endmember": [str(name) for name in names], "y": raster["y"].values, "x": raster["x"].values},
    )
    if crs is not None:
        truth = truth.rio.write_crs(crs).rio.write_transform(transform)
        truth["abundance"].attrs["grid_mapping"] = "spatial_ref"
    total = truth["abundance"].values.sum(axis=0)
    # one class says nothing of the rest of a pixel, and where no pixel is full classes are missing everywhere
    full = len(A) > 1 and bool((total[np.isfinite(total)] >= COVER).any())
    return truth, notes, COVER if full else None


def _refuse_libraries(path: Path) -> None:
    """Say of a spectral library that it is one; GDAL's words for it speak of header files."""
    header = path.with_suffix(".hdr")
    spectra = path.suffix.lower() in _LIBRARIES
    if not spectra and header.is_file():
        spectra = "spectral library" in header.read_text(encoding="latin-1").casefold()
    if spectra:
        raise ConfigError(
            f"{path} is a table or a spectral library: it has no abundances of pixels",
            "a raster with one band per class, .npz, .geojson, .shp, .gpkg, or a product",
            "Give the map that the product is to be compared with",
        )


def _guess_scale(A: np.ndarray, *, whole: bool) -> float:
    """Return the factor that makes the largest sums of the classes 1; floats count where all are whole numbers."""
    known = A[np.isfinite(A)]
    top = float(known.max()) if known.size else 0.0
    if not whole and (top <= 1 or not bool((known == np.round(known)).all())):
        return 1.0
    if len(A) > 1:
        total = A.sum(axis=0)
        total = total[np.isfinite(total)]
        top = float(total.max()) if total.size else 1.0
    near = _NEAR if len(A) > 1 else 0.0  # a label may lie near a factor, a largest share of one class is the factor
    for factor in _SCALES:
        if abs(top - factor) <= near * factor:
            return 1 / factor
    if len(A) == 1:
        return 1.0  # zeros, or labels, which are refused where fractions are checked
    raise ConfigError(
        f"the classes of the truth are whole numbers that sum to {top:g} at most",
        "fractions, or sums of " + ", ".join(f"{factor:g}" for factor in _SCALES),
        "Say what to multiply them by: --truth-scale",
    )
