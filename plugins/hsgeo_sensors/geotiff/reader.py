"""GeoTIFF scenes that say the wavelength of each band: the EnMAP-Box export, GDAL's IMAGERY tags, ENVI tags."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.common.lazy import LazyRaster, decode
from hsgeo_sensors.common.sample import Sample, find_fill
from hsgeo_sensors.common.scale import check_scale, decide_scale, quantity_of
from hsgeo_sensors.common.tiff import check_complete, masked, open_tiff, read_mask, read_tiff
from hsgeo_sensors.common.units import kind_of_unit
from hsgeo_sensors.config import GeoTiffOptions, parse

__all__ = ["GeoTiffReader"]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class GeoTiffReader:
    """Opens GeoTIFFs whose bands have wavelengths."""

    def score(self, path: Path) -> int:
        """Return 1 for any TIFF, and for a file that is named like one."""
        try:
            if not path.is_file():
                return 0
            with path.open("rb") as file:
                return int(file.read(4) in MAGIC or path.suffix.lower() in (".tif", ".tiff", ".gtif"))
        except OSError:
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a GeoTIFF as a scene.

        Parameters
        ----------
        path : pathlib.Path
            The file.
        options : mapping, optional
            See `hsgeo_sensors.config.GeoTiffOptions`. What the numbers are worth: see `hsgeo_sensors.common.scale`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            A scene.

        Raises
        ------
        SceneError
            If it is no readable TIFF, has no wavelengths, or its scale cannot be told.
        ConfigError
            If an option is wrong.
        """
        from rasterio.errors import RasterioError

        chosen = parse(GeoTiffOptions, options)
        path = Path(path)
        try:
            with open_tiff(path) as file:
                return _scene(file, path, chosen, chunks)
        except RasterioError as error:
            raise SceneError(
                f"{path} is not a readable TIFF: {error}", "a complete GeoTIFF", "Copy it again"
            ) from error


def _scene(file: Any, path: Path, chosen: GeoTiffOptions, chunks: Mapping[Hashable, int] | None) -> xr.Dataset:
    from rasterio.enums import ColorInterp, MaskFlags

    dtype = file.dtypes[0]
    if dtype.startswith("complex") or np.dtype(dtype).kind not in "iuf":  # complex_int16 is unknown to NumPy
        raise SceneError(f"{path} holds {dtype}", "real numbers", "Give a file of reflectance or radiance")
    check_complete(file, name=str(path), do="Copy it again")
    common = {key.lower(): value for key, value in {**file.tags(), **file.tags(ns="ENVI")}.items()}
    tags = [_tags(file, k + 1) for k in range(file.count)]
    alpha = None
    if file.colorinterp[-1] == ColorInterp.alpha and "wavelength" not in tags[-1] and not _given(chosen, file.count):
        alpha = file.count  # a label: a band with a wavelength is none, whatever it says
        del tags[-1]
    bands = len(tags)
    if not any("wavelength" in tag for tag in tags):
        tags = _listed(common, tags, path)
    centres, widths = given_bands(chosen, bands)
    if centres is None:
        _refuse_product(file.tags(), path)
        centres = _centres(tags, path)
    if widths is None:
        widths = np.array([tag.get("fwhm", np.nan) for tag in tags])
        widths[~(widths > 0)] = np.nan
    good = default_good(centres)
    if all("bbl" in tag for tag in tags):
        good = np.array([tag["bbl"] > 0 for tag in tags])
    plain = file.transform.is_identity
    shape = (file.height, file.width)
    raw = Raster(path, (bands, *shape), plain)
    raw.alpha, raw.masked = alpha, alpha is not None or MaskFlags.per_dataset in file.mask_flag_enums[0]
    sample = Sample(partial(_look, file, raw), bands=bands, shape=shape, usable=good)
    nodata = chosen.nodata if chosen.nodata is not None else file.nodata
    about = {"quality_source": "mask of the file"} if raw.masked else {}
    if not raw.masked and chosen.nodata is None and (nodata is None or np.isnan(nodata)):
        nodata, about = find_fill(sample, name=str(path))
    said = None
    scales, offsets = file.scales[:bands], file.offsets[:bands]
    if any(s != 1.0 for s in scales) or any(o != 0.0 for o in offsets):
        said = (np.array(scales), np.array(offsets), "scale and offset of the file")
    if said is None and (factor := _number(common.get("reflectance_scale_factor"))) is not None and factor > 0:
        said = (np.full(bands, 1.0 / factor), np.zeros(bands), "reflectance_scale_factor of the file")
    text = " ".join([*(common.get(k, "") for k in _TEXTS), *(d or "" for d in file.descriptions[:1])])
    radiant = kind_of_unit(common.get("data_units", common.get("units", ""))) == "radiance"
    quantity = quantity_of(chosen, text, "radiance" if radiant else "")
    scale = decide_scale(
        chosen,
        bands=bands,
        shape=shape,
        said=said,
        text=text,
        quantity=quantity,
        nodata=nodata,
        probe=sample,
        name=str(path),
    )
    check_scale(scale, quantity=quantity, sample=sample, nodata=nodata, name=str(path))
    raw.gain, raw.offset, raw.nodata = scale.gain, scale.offset, nodata
    return assemble(
        raw,
        wavelength=centres,
        fwhm=widths,
        good=good,
        crs=file.crs or None,
        transform=None if plain else file.transform,
        quality=Mask(path, shape, plain, alpha) if raw.masked else None,
        time=next((common[k] for k in _TIMES if k in common), None),
        quantity=quantity,
        attrs={"sensor": common.get("sensor", common.get("sensor_type", "unknown")), **about},
        spectra_attrs={"scale_source": scale.source},
        blocks=file.block_shapes[0],
        chunks=chunks,
    )


def _given(chosen: GeoTiffOptions, bands: int) -> bool:
    try:
        return given_bands(chosen, bands)[0] is not None
    except ConfigError:  # their number is wrong
        return False


def _look(file: Any, raw: Raster, bands: np.ndarray, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
    """Read stored numbers through the open file, whose blocks GDAL keeps; masked ones are not a number."""
    from rasterio.windows import Window

    window = Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])
    stored = file.read([int(band) + 1 for band in bands], window=window)
    return np.where(masked(file, window, alpha=raw.alpha), np.nan, stored) if raw.masked else stored


_TEXTS = ("description", "z_plot_titles", "data_units", "tifftag_imagedescription", "quantity", "units")
_TIMES = ("start_time", "acquisition_time", "acquisitiondatetime")


class Raster(LazyRaster):
    """The numbers of a TIFF; GDAL's datasets are not thread-safe, so each read opens its own."""

    gain: np.ndarray
    offset: np.ndarray
    nodata: float | None = None
    masked = False
    alpha: int | None = None

    def __init__(self, path: Path, shape: tuple[int, int, int], plain: bool) -> None:
        super().__init__(path, shape, np.float32)
        self.plain = plain  # not georeferenced

    def stored(self, bands: np.ndarray, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read stored numbers, ``(band, rows, columns)``."""
        return read_tiff(self.path, [int(band) + 1 for band in bands], rows, cols, quiet=self.plain)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and scale a window."""
        assert bands is not None
        out = decode(self.stored(bands, rows, cols), self.gain[bands], self.offset[bands], self.nodata)
        if self.masked:
            out[:, read_mask(self.path, rows, cols, alpha=self.alpha, quiet=self.plain)] = np.nan
        return out


class Mask(LazyRaster):
    """Quality bits: NODATA where the mask of a TIFF, or its alpha band, is 0."""

    known = int(Quality.NODATA)

    def __init__(self, path: Path, shape: tuple[int, int], plain: bool, alpha: int | None) -> None:
        super().__init__(path, shape, np.uint16)
        self.plain, self.alpha = plain, alpha

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a window."""
        empty = read_mask(self.path, rows, cols, alpha=self.alpha, quiet=self.plain)
        return np.where(empty, Quality.NODATA, 0).astype(np.uint16)


def _refuse_product(tags: Mapping[str, str], path: Path) -> None:
    """Raise for what hsgeo wrote: abundances, and the rasters in the files beside them."""
    if "hsgeo_variable" in tags:
        main = path.name if "hsgeo" in tags else path.name.replace(f"_{tags['hsgeo_variable']}.", ".")
        raise SceneError(
            f"{path} holds {tags['hsgeo_variable']}, made by hsgeo: a product, not a scene",
            "reflectance or radiance with a wavelength for each band",
            f"Give the scene it was made from; look at the product with `hsgeo plot {main}` or hsgeo.open_product",
        )


def _tags(file: Any, band: int) -> dict[str, float]:
    """Collect what a band says about itself: wavelength and fwhm in nm, bbl.

    Looked for in this order: tags of the band (any domain, names without case), IMAGERY domain in micrometres,
    a number with a unit in its description.
    """
    tags = {key.lower(): value for key, value in file.tags(band).items()}
    for domain in file.tag_namespaces(band):
        tags.update({k.lower(): v for k, v in file.tags(band, ns=domain).items() if k.lower() not in tags})
    found: dict[str, float] = {}
    if (bbl := _number(tags.get("bbl", tags.get("good")))) is not None:
        found["bbl"] = bbl
    centre, width = _number(tags.get("wavelength")), _number(tags.get("fwhm"))
    if centre is not None and not 0 < centre < np.inf:
        return found  # told as missing, with the number of the band
    if centre is not None:
        units = tags.get("wavelength_units", tags.get("wavelength_unit"))
        factor = nanometre_factor(np.array([centre]), units, name=file.name)
        found["wavelength"] = centre * factor
        if width is not None:
            found["fwhm"] = width * factor
    elif (centre := _number(tags.get("central_wavelength_um"))) is not None:
        found["wavelength"] = centre * 1e3
        if (width := _number(tags.get("fwhm_um"))) is not None:
            found["fwhm"] = width * 1e3
    elif match := _PHRASE.search(file.descriptions[band - 1] or ""):
        found["wavelength"] = float(match[1]) * (1.0 if match[2].lower().startswith("n") else 1e3)
    return found


def _listed(common: Mapping[str, str], tags: list[dict[str, float]], path: Path) -> list[dict[str, float]]:
    """Take centres, widths and bbl from lists in the tags of the file, as ENVI headers have them."""
    lists = {key: [_number(v) for v in common.get(key, "").strip("{} \n").replace(",", " ").split()] for key in _LISTS}
    fits = {key: values for key, values in lists.items() if len(values) == len(tags) and None not in values}
    if "wavelength" not in fits:
        if lists["wavelength"]:
            raise SceneError(
                f"{path} has {len(lists['wavelength'])} values in its tag wavelength for {len(tags)} bands",
                "a number for each band",
                "Give them with the reader option wavelengths=...",
            )
        return tags
    centres = np.array(fits["wavelength"], np.float64)
    factor = nanometre_factor(centres, common.get("wavelength_units"), name=str(path))
    worth = {"wavelength": factor, "fwhm": factor, "bbl": 1.0}
    out = []
    for k, tag in enumerate(tags):
        own = {key: float(values[k] or 0.0) * worth[key] for key, values in fits.items()}
        if not 0 < own["wavelength"] < np.inf:
            del own["wavelength"]  # told as missing, with the number of the band
        out.append({**own, **tag})
    return out


_LISTS = ("wavelength", "fwhm", "bbl")
_PHRASE = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w*|um|µm|μm|micromet\w*)\b", re.IGNORECASE)


def _centres(tags: list[dict[str, float]], path: Path) -> np.ndarray:
    silent = [k + 1 for k, tag in enumerate(tags) if "wavelength" not in tag]
    if len(silent) == len(tags):
        raise no_wavelengths(str(path), len(tags))
    if silent:
        raise SceneError(
            f"{path} has no wavelength for bands {silent[:10]}{' ...' if len(silent) > 10 else ''}",
            "a wavelength for every band",
            "Give them all with the reader option wavelengths=...",
        )
    return np.array([tag["wavelength"] for tag in tags])


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
