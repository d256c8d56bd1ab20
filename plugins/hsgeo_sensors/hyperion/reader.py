"""EO-1 Hyperion level 1T: one GeoTIFF per band beside its metadata file; radiance, never reflectance.

Layout and traps: two scaling factors (VNIR and SWIR) from the metadata file; wavelengths are in no file of the product
(the sensor catalog has the table of the USGS); only bands 8-57 and 77-224 are calibrated; 0 is the only fill value.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import replace
from importlib.resources import files as package_files
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bundle import Bundle, bundle
from hsgeo_sensors.common.lazy import LazyRaster, decode
from hsgeo_sensors.common.listing import peek
from hsgeo_sensors.common.tiff import open_tiff
from hsgeo_sensors.config import HyperionOptions, parse
from hsgeo_sensors.hyperion.grid import check_grid
from hsgeo_sensors.hyperion.mtl import LARGEST, look_to_zenith, parse_mtl

__all__ = ["BANDS", "CALIBRATED", "HyperionReader", "band_table"]

BANDS = {"vnir": 70, "swir": 172}
CALIBRATED = (*range(8, 58), *range(77, 225))
"""Band numbers that the USGS calibrates; the others hold zeros, or numbers without a meaning."""
PROBES = (12, 20, 30, 45, 90, 110, 150, 205)
"""Bands that must all be 0 before a pixel counts as outside: spread over both detectors, away from water vapour."""

HDF4 = b"\x0e\x03\x13\x01"
_META = r"(?P<stem>EO1H\w+?)_MTL(_L1\w+)?\.(TXT|L1T|L1G)"
_BAND = r"(?P<stem>EO1H\w+?)_B(?P<band>\d{3})(_L1\w+)?\.TIFF?"
_OLD = r"EO1H\w*\.(L1R|L1|L1_A|L1_B|L1G|L0)"


class HyperionReader:
    """Opens Hyperion products of one GeoTIFF per band."""

    example = "scene.zip"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for Hyperion products of any level (other levels get their own message), else 0."""
        try:
            names = peek(Path(path))
        except Exception:  # what cannot be looked at belongs to nobody
            return 0
        return 2 if any(re.fullmatch(f"{_META}|{_BAND_ONLY}|{_OLD}", n, re.IGNORECASE) for n in names) else 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a product as a scene.

        Parameters
        ----------
        path : pathlib.Path
            The folder, its metadata file or any band in it; or the zip, tar or gzipped tar as delivered, whose used
            bands are unpacked once into the cache folder (`hsgeo_sensors.common.cache`).
        options : mapping, optional
            See `hsgeo_sensors.config.HyperionOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra`` in W m-2 sr-1 um-1, NaN where a band holds 0; ``quality`` with NODATA where all of them do.

        Raises
        ------
        SceneError
            If files are missing, broken or of another level, or the map grid contradicts the metadata.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(HyperionOptions, options)
        path = Path(path)
        listed = bundle(path)
        _refuse_old(path, listed)
        _refuse_bands_alone(path, listed)
        product = listed.product(_META, what="Hyperion product: GeoTIFFs of all bands with their _MTL_L1T.TXT")
        named = product.find(r"_MTL(_L1\w+)?\.(TXT|L1T|L1G)")
        assert named is not None  # product() found it
        product, bands = _band_files(product, named)
        meta = parse_mtl(product.read(named, limit=LARGEST), name=f"{product.source}: {PurePosixPath(named).name}")
        said = (meta.text("SENSOR_ID") or "HYPERION").upper()
        if said != "HYPERION":
            raise SceneError(f"{meta.name} says SENSOR_ID = {said}", "HYPERION", "Download the product again")
        scale = {d: meta.number(f"SCALING_FACTOR_{d.upper()}") for d in BANDS}
        if min(scale.values()) <= 0:
            raise SceneError(f"{meta.name} has scaling factors {scale}", "positive factors", "Download it again")
        shape, crs, transform = check_grid(product, bands, meta, strict=chosen.check_grid)
        wavelength, fwhm = band_table()
        detector = np.repeat(list(BANDS), list(BANDS.values()))
        keep = np.zeros(len(wavelength), bool)
        keep[np.array(CALIBRATED) - 1] = True
        gain = np.array([1.0 / scale[d] for d in detector])
        look = meta.optional("SENSOR_LOOK_ANGLE")
        angles = {
            "sun_zenith": 90.0 - meta.optional("SUN_ELEVATION"),
            "sun_azimuth": meta.optional("SUN_AZIMUTH") % 360.0,  # -180 to 180 in the file
            "view_zenith": look_to_zenith(look),
        }
        said_look = {"sensor_look_angle": look} if np.isfinite(look) else {}
        return assemble(
            Cube(product, bands, (len(wavelength), *shape), gain),
            wavelength=wavelength,
            fwhm=fwhm,
            detector=detector,
            keep=keep,
            overlap=chosen.overlap,
            crs=crs,
            transform=transform,
            quality=_Outside(product, bands, shape),
            angles=angles,
            time=meta.time(),
            quantity="radiance",
            units="W m-2 sr-1 um-1",
            attrs={
                "sensor": "Hyperion",
                "product_id": PurePosixPath(named).name.upper().split("_MTL")[0],
                "processing_level": (meta.text("PRODUCT_TYPE") or "L1T").upper(),
                "quality_source": "the fill value 0; the product has no masks",
                **said_look,
            },
            spectra_attrs={"scale_source": "SCALING_FACTOR_* of the metadata file", "overlap": chosen.overlap},
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a product of this format, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            A folder, or a name that ends with ``.zip``, ``.tar`` or ``.tar.gz``.
        scene : xarray.Dataset
            Radiance in W m-2 sr-1 um-1, or reflectance, which is lit by a sun without an atmosphere; in the scene
            convention, on a UTM grid of 30 m, on Hyperion's bands with ``detector (band)``.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.hyperion.writer import sunlit, write_hyperion

        table, _ = band_table()
        labels = scene["detector"].values
        band = [
            1 + (0 if d == "vnir" else BANDS["vnir"]) + int(np.abs(part - w).argmin())
            for d, w in zip(labels, scene["wavelength"].values, strict=True)
            for part in [table[: BANDS["vnir"]] if d == "vnir" else table[BANDS["vnir"] :]]
        ]
        values = scene["spectra"].values
        if scene["spectra"].attrs.get("quantity") != "radiance":
            values = sunlit(values, scene["wavelength"].values)
        kept = [k for k, number in enumerate(band) if number in CALIBRATED]
        epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
        return write_hyperion(
            path,
            values[kept],
            band=[band[k] for k in kept],
            epsg=int(epsg or 0),
            origin=(float(scene["x"][0]), float(scene["y"][0])),
        )


_BAND_ONLY = _BAND.replace("(?P<stem>", "(?:").replace("(?P<band>", "(?:")  # a pattern may name a group only once


class _PerBand(LazyRaster):
    """A raster over many files: what both rasters share."""

    def __init__(
        self, product: Bundle, bands: dict[int, str], shape: tuple[int, ...], dtype: np.dtype | type = np.float32
    ) -> None:
        super().__init__(product.source, shape, dtype)
        self.product, self.bands = product, bands

    def stored(self, numbers: list[int], rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one window of some bands, ``(n, rows, columns)`` int16."""
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        box = Window(cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0])
        out = np.empty((len(numbers), rows[1] - rows[0], cols[1] - cols[0]), np.int16)
        # each open would list the folder for side files, 242 names every time
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            for k, number in enumerate(numbers):
                path = self.product.path(self.bands[number])
                try:
                    with open_tiff(path, quiet=False) as file:
                        if file.shape != self.shape[-2:] or file.dtypes[0] != "int16":
                            raise OSError(
                                f"{path.name} holds {file.shape} of {file.dtypes[0]}, other bands {self.shape[-2:]}"
                            )
                        file.read(1, window=box, out=out[k])
                except RasterioError as error:
                    raise OSError(f"{path.name}: {error}") from error
        return out


class Cube(_PerBand):
    """Radiance of all bands."""

    def __init__(self, product: Bundle, bands: dict[int, str], shape: tuple[int, int, int], gain: np.ndarray) -> None:
        super().__init__(product, bands, shape)
        self.gain = gain

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a window of each band that is needed and scale it."""
        assert bands is not None
        raw = self.stored([int(band) + 1 for band in bands], rows, cols)
        return decode(raw, self.gain[bands], np.zeros(len(bands)), 0)


class _Outside(_PerBand):
    """Quality bits: where the swath is not."""

    known = int(Quality.NODATA)

    def __init__(self, product: Bundle, bands: dict[int, str], shape: tuple[int, int]) -> None:
        super().__init__(product, bands, shape, np.uint16)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the probe bands."""
        empty = (self.stored(list(PROBES), rows, cols) == 0).all(axis=0)
        return (empty * Quality.NODATA).astype(np.uint16)


def band_table() -> tuple[np.ndarray, np.ndarray]:
    """Return the centres and widths of Hyperion's 242 bands, which no file of a product has.

    Returns
    -------
    numpy.ndarray, shape (242,), float64, twice
        Nanometres, in the order of the product: band 1 first, VNIR and then SWIR.

    Raises
    ------
    SceneError
        If no installed catalog has Hyperion's table.
    """
    import yaml

    from hsgeo.plugin.registry import registry

    for record in registry().catalogs:
        if record.kind != "sensors":
            continue
        entry = package_files(record.package).joinpath(record.folder).joinpath("hyperion.yaml")
        if not entry.is_file():
            continue
        content = yaml.safe_load(entry.read_text(encoding="utf-8"))
        table = np.full((2, sum(BANDS.values())), np.nan)
        for part in [*content["detectors"].values(), *content.get("uncalibrated", ())]:
            start = int(part.get("first", 1)) - 1
            table[:, start : start + len(part["fwhm"])] = part["wavelength"], part["fwhm"]
        if np.isfinite(table).all():
            return table[0], table[1]
    raise SceneError(
        "no installed sensor catalog has the bands of Hyperion",
        "hyperion.yaml with all 242 bands",
        "Install the catalogs that hsgeo ships",
    )


def _refuse_old(path: Path, listed: Bundle) -> None:
    """Raise for the products that are HDF4 files: levels 0, 1R and 1Gst in their first form."""
    names = [listed.asked] if listed.asked else list(listed.sizes)
    found = [n for n in names if re.fullmatch(_OLD, PurePosixPath(n).name, re.IGNORECASE)]
    if listed.asked and not found and path.is_file():
        with path.open("rb") as file:
            found = [path.name] if file.read(4) == HDF4 else []
    has_bands = any(re.fullmatch(_BAND, PurePosixPath(n).name, re.IGNORECASE) for n in listed.sizes)
    if found and (listed.asked or not has_bands):
        raise SceneError(
            f"{path} holds {PurePosixPath(found[0]).name}, a Hyperion product in HDF4 (level 0, 1R or 1Gst)",
            "level 1T (or 1Gst) as GeoTIFFs; HDF4 is not supported",
            "Download the L1T product of this scene, which is on a map grid too",
        )


def _refuse_bands_alone(path: Path, listed: Bundle) -> None:
    """Raise for bands whose metadata file is not there, one given by its name foremost."""
    names = [PurePosixPath(name).name for name in listed.sizes]
    bands = sorted(name for name in names if re.fullmatch(_BAND, name, re.IGNORECASE))
    if not bands or any(re.fullmatch(_META, name, re.IGNORECASE) for name in names):
        return
    stem = bands[0][: re.fullmatch(_BAND, bands[0], re.IGNORECASE).end("stem")]
    held = f"{path} is one band of a Hyperion product" if listed.asked else f"{path} holds bands of a Hyperion product"
    raise SceneError(
        f"{held}, and its metadata file {stem}_MTL_L1T.TXT is not there",
        "the metadata file and the GeoTIFFs of all bands in one folder or archive",
        "Give the folder or archive that has them all, or download the product again",
    )


def _band_files(product: Bundle, named: str) -> tuple[Bundle, dict[int, str]]:
    """Return the product without what is not read, and the file of each calibrated band."""
    found: dict[int, str] = {}
    for inside in product.sizes:
        match = re.fullmatch(_BAND, PurePosixPath(inside).name, re.IGNORECASE)
        if match is None or int(match["band"]) not in CALIBRATED:
            continue
        if (band := int(match["band"])) in found:
            raise SceneError(f"{product.source} has two files of band {band}", "one", "Remove one of them")
        found[band] = inside
    missing = [str(band) for band in CALIBRATED if band not in found]
    if missing:
        raise SceneError(
            f"{product.source}: the GeoTIFFs of {len(missing)} bands are missing: {', '.join(missing[:8])}"
            + (" ..." if len(missing) > 8 else ""),
            "bands 8-57 and 77-224, one file each",
            "Download or unpack the product again",
        )
    used = {named, *found.values()}
    return replace(product, sizes={n: s for n, s in product.sizes.items() if n in used}), found
