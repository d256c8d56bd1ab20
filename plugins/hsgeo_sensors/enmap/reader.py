"""EnMAP level 1B, 1C and 2A: a folder of GeoTIFFs with METADATA.XML, any file of it, or the archive as delivered.

Layout and traps: the scale of each band stands in the metadata (``DN * GainOfBand + OffsetOfBand``), the wavelengths
too. The detectors of L1B are not registered to each other, and its GeoTIFFs hold a fit to the corners that is not
georeferencing. The merged raster is sorted by wavelength, so that the detectors interleave where they overlap.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.spectra.absorption import default_good
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bundle import Bundle, bundle
from hsgeo_sensors.common.listing import is_packed, peek
from hsgeo_sensors.common.xml import LARGEST
from hsgeo_sensors.config import EnmapOptions, parse
from hsgeo_sensors.enmap.detectors import interleave
from hsgeo_sensors.enmap.grid import check_grid
from hsgeo_sensors.enmap.metadata import Metadata, read_metadata
from hsgeo_sensors.enmap.raster import PLAIN, Cube, Flags, Tiff

__all__ = ["EnmapReader"]

STEM = r"(?P<stem>ENMAP\d\d-_{2,4}L(?:1B|1C|2A)-DT\w+)"
"""No hyphen in it: parts cut from a product are named with more of them, and have no metadata."""
TIFF = r"\.(?:TIFF?|GEOTIFF)"
IMAGE = r"-SPECTRAL_IMAGE(?:_VNIR|_SWIR)?(?:_COG)?"
PLAIN_META, DOUBLED_META = r"-METADATA\.XML", r"-METADATA\.XML\.XML"  # both occur
META = rf"(?:{DOUBLED_META}|{PLAIN_META})"
OTHER_FORMATS = r"\.(?:BSQ|BIL|BIP|JP2|JPEG2000)"  # of the images, for a message of their own
PRODUCT = rf"{STEM}(?:{META}|{IMAGE}(?:{TIFF}|{OTHER_FORMATS}))"
DELIVERED = r"(?:ENMAP\d\d-_{2,4}L(?:1B|1C|2A)-|.*ENMAP\.HSI).*"  # names of archives
LAYER = rf"{STEM}-(?:QL_\w+|HISTORY|BACKGROUND)(?:\.\w+)+"
"""Other files of a product, given as if they were it."""
PROBES = 4  # bands that must all be nodata before a pixel counts as outside

UNITS = {"reflectance": "1", "radiance": "W m-2 sr-1 nm-1"}


class EnmapReader:
    """Opens EnMAP products."""

    example = "scene.zip"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for products of any level and their archives."""
        try:
            names = peek(path)
            if any(re.fullmatch(PRODUCT, name, re.IGNORECASE) for name in names):
                return 2
            if path.is_file() and re.fullmatch(LAYER, path.name, re.IGNORECASE):
                return 2  # it gets its own message
            archives = [name for name in (*names, path.name) if is_packed(Path(name))] if path.exists() else []
            return 2 if any(re.fullmatch(DELIVERED, name, re.IGNORECASE) for name in archives) else 0
        except Exception:  # a path that cannot be looked at is none of ours
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a product as a scene.

        Parameters
        ----------
        path : pathlib.Path
            The folder or one above it, METADATA.XML, the spectral image, or the delivered zip or tar. What is needed of
            an archive is unpacked once into the cache folder (`hsgeo_sensors.common.cache`).
        options : mapping, optional
            See `hsgeo_sensors.config.EnmapOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra``, reflectance for L2A and radiance for L1B and L1C, and ``quality``. L1B is one detector on its
            sensor grid, without reference system.

        Raises
        ------
        SceneError
            If files are missing, broken, do not belong together, or contradict the metadata.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(EnmapOptions, options)
        _refuse_layer(Path(path))
        files = bundle(Path(path)).product(PRODUCT, what="EnMAP product (METADATA.XML and its GeoTIFFs)")
        where = files.find(PLAIN_META) or files.find(DOUBLED_META)
        if where is None:
            raise SceneError(
                f"{files.source} lacks the METADATA.XML of {PurePosixPath(next(iter(files.sizes))).name}",
                "the image and its METADATA.XML in one folder or archive",
                "Put it there; or name the reader geotiff, and give wavelengths and scale yourself",
            )
        said = read_metadata(files.read(where, limit=LARGEST), name=PurePosixPath(where).name)
        part = _part(said, chosen.detector, files)
        suffix = f"_{part.upper()}" if said.level == "L1B" else ""
        tiff = _tiff(files, rf"-SPECTRAL_IMAGE{suffix}", needed=True)
        assert tiff is not None
        here = said.detector == part if said.level == "L1B" else np.ones(len(said.detector), bool)
        _check_image(tiff, said, part, int(here.sum()))
        crs, transform, compared = None, None, None
        if said.level != "L1B":
            crs, transform = tiff.crs, tiff.transform
            compared = check_grid(crs, transform, tiff.shape[1:], said) if chosen.check_grid else "not asked for"
        nodata = said.nodata if tiff.nodata is None else float(tiff.nodata)
        layers = _layers(files, said, part, tiff, haze=chosen.haze) if chosen.layers else {}
        mask = _tiff(files, rf"-QL_PIXELMASK{suffix}", like=tiff, needed=True) if chosen.pixelmask else None
        if mask is not None and mask.shape != tiff.shape:
            raise SceneError(f"{mask.name} has {mask.shape[0]} bands", f"{tiff.shape[0]}, as the image has")
        overlap = _overlap(said, here, chosen.overlap)
        dead = said.dead[here]
        good = default_good(said.wavelength[here]) & ~dead
        quantity = "reflectance" if said.level == "L2A" else "radiance"
        attrs = {"sensor": "EnMAP", "processing_level": said.level, "grid_check": compared, "detector": part}
        attrs["detector_source"] = said.detector_source
        stem = re.sub(rf"{META}$", "", said.name, flags=re.IGNORECASE)
        return assemble(
            Cube(tiff, gain=said.gain[here], offset=said.offset[here], nodata=nodata, pixelmask=mask),
            wavelength=said.wavelength[here],
            fwhm=np.where(said.fwhm[here] > 0, said.fwhm[here], np.nan),
            good=good,
            detector=said.detector[here],
            overlap=overlap,
            crs=crs,
            transform=transform,
            quality=Flags(tiff, layers=layers, probes=_probes(good, dead), nodata=nodata),
            angles=said.angles,
            time=said.time,
            quantity=quantity,
            units=UNITS[quantity],
            attrs={
                "product_id": stem,
                "quality_source": ", ".join(layer.name.removeprefix(f"{stem}-") for layer in layers.values())
                or "nodata of the image",
                **{key: value for key, value in attrs.items() if value},
            },
            spectra_attrs={
                "scale_source": "GainOfBand and OffsetOfBand of METADATA.XML",
                "overlap": overlap,
                **({"pixelmask": mask.name} if mask is not None else {}),
            },
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as an L2A product, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.zip``, ``.tar`` or ``.tar.gz``; else a folder.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a UTM grid, with ``detector (band)``.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.enmap.writer import write_enmap

        epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
        return write_enmap(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            detector=scene["detector"].values,
            epsg=int(epsg or 0),
            origin=(float(scene["x"][0]), float(scene["y"][0])),
        )


def _refuse_layer(path: Path) -> None:
    layer = re.fullmatch(LAYER, path.name, re.IGNORECASE)
    if layer is not None and path.is_file():
        raise SceneError(
            f"{path} belongs to an EnMAP product and has no spectra",
            "the product: its folder, METADATA.XML, spectral image or archive; its layers are then found by name",
            f"Give {layer['stem']}-METADATA.XML",
        )


def _part(said: Metadata, wanted: str | None, files: Bundle) -> str:
    """Tell which detector of an L1B product to open; empty where one raster holds both."""
    if said.level != "L1B":
        if wanted is not None:
            raise ConfigError(
                f"detector={wanted!r} for EnMAP {said.level}, whose detectors are in one raster",
                "no such option; overlap says whose bands stay where both measured",
                "Drop it, and pick bands by scene.detector",
            )
        return ""
    named = re.search(r"-SPECTRAL_IMAGE_(VNIR|SWIR)", files.asked or "", re.IGNORECASE)
    part = wanted or (named[1].lower() if named else None)
    if part is None:
        raise SceneError(
            f"{said.name} is EnMAP L1B: its detectors are not registered to each other (some 20 rows apart), and one "
            "cube of both would mix places",
            "one detector: detector=vnir or detector=swir",
            "Give that reader option, name one of the two images, or get the L1C or L2A product",
        )
    return part


def _tiff(files: Bundle, ending: str, *, like: Tiff | None = None, needed: bool = False) -> Tiff | None:
    """Look at a raster of the product; the plain one where its cloud-optimised copy is there, too."""
    found = files.find(ending + TIFF) or files.find(f"{ending}_COG{TIFF}")
    if found is None:
        if not needed:
            return None
        other = files.find(f"{ending}{OTHER_FORMATS}")
        raise SceneError(
            f"{files.source} lacks *{ending}.TIF" + (f" (it has {PurePosixPath(other).name})" if other else ""),
            "an EnMAP product in GeoTIFF",
            "Order it as GeoTIFF, or convert it with gdal_translate" if other else "Download the product again",
        )
    tiff = Tiff(files.path(found), name=PurePosixPath(found).name)
    if like is not None and (
        tiff.shape[1:] != like.shape[1:]
        or (not like.plain and not tiff.plain and not tiff.transform.almost_equals(like.transform, 1e-3))
    ):
        raise SceneError(
            f"{tiff.name} has {tiff.grid}",
            f"the grid of {like.name}: {like.grid}",
            "It belongs to another product: replace it, or go without by layers=false, pixelmask=false",
        )
    return tiff


def _layers(files: Bundle, said: Metadata, part: str, image: Tiff, *, haze: bool) -> dict[str, Tiff]:
    """Find the quality layers on the image's grid: those of L1B, but for the test flags, are on the VNIR's."""
    names = ["classes", *(name for name in PLAIN if name != "haze" or haze)] if part != "swir" else []
    endings = {name: f"-QL_QUALITY_{name.upper()}" for name in names}
    endings["testflags"] = "-QL_QUALITY_TESTFLAGS" + (f"_{part.upper()}" if said.level == "L1B" else "")
    found = {name: _tiff(files, ending, like=image) for name, ending in endings.items()}
    lacking = [endings[name].lstrip("-") for name, tiff in found.items() if tiff is None]
    if lacking:
        warnings.warn(
            HsgeoWarning(
                f"{said.name} comes without {', '.join(lacking)}, which products have: nothing is flagged by them. "
                "The reader option layers=false goes without all of them, and says nothing."
            ),
            stacklevel=2,
        )
    return {name: tiff for name, tiff in found.items() if tiff is not None}


def _check_image(tiff: Tiff, said: Metadata, part: str, bands: int) -> None:
    shape = said.shapes.get(part or "merge", tiff.shape[1:])
    if tiff.shape != (bands, *shape):
        raise SceneError(
            f"{tiff.name} has {tiff.shape[0]} bands of {tiff.shape[1]} x {tiff.shape[2]} pixels",
            f"{bands} bands of {shape[0]} x {shape[1]} pixels, as {said.name} says",
            "Download the product again",
        )


def _overlap(said: Metadata, here: np.ndarray, wanted: str) -> str:
    """Return whose bands stay: both, and a warning, where the detectors are mixed and not told apart."""
    if wanted == "both" or said.detector_source == "expectedChannelsList" or not interleave(said.wavelength[here]):
        return wanted
    warnings.warn(
        HsgeoWarning(
            f"{said.name} does not tell the detectors of the bands from 900 to 1000 nm, which both measured, so "
            f"overlap={wanted} leaves none out: the scene has the bands of both, interleaved. The reader option "
            "overlap=both says that this is meant."
        ),
        stacklevel=2,
    )
    return "both"


def _probes(good: np.ndarray, dead: np.ndarray) -> tuple[int, ...]:
    """Choose bands (counted from 1) spread over those that are good."""
    usable = np.flatnonzero(good if good.any() else ~dead)
    if not len(usable):
        return ()
    return tuple(int(b) + 1 for b in np.unique(usable[np.linspace(0, len(usable) - 1, PROBES).astype(int)]))
