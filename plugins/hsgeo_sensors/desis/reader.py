"""DESIS level 1C and 2A (and 1B on its sensor grid): GeoTIFFs whose bands and scales are in ``METADATA.xml``."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bundle import Bundle, bundle
from hsgeo_sensors.common.listing import peek
from hsgeo_sensors.config import DesisOptions, parse
from hsgeo_sensors.desis.meta import AGAIN, LARGEST, read_metadata
from hsgeo_sensors.desis.raster import Cube, Flags, Picture, check_place, look_at

__all__ = ["DesisReader"]

LEVELS = {
    "L1B": ("radiance", "mW cm-2 sr-1 um-1"),
    "L1C": ("radiance", "mW cm-2 sr-1 um-1"),
    "L2A": ("reflectance", "1"),
}
DELIVERED = r"DESIS-HSI-\w{3}-.+\.(?:ZIP|TAR|TAR\.GZ|TGZ)"  # alone in an archive, as it is delivered
_NAME = r"(?P<stem>DESIS-HSI-\w{3}-.+?)-(METADATA\.XML|SPECTRAL_IMAGE\.TIFF?)"
_HEADER = r"DESIS-HSI-\w{3}-.+-SPECTRAL_IMAGE\.HDR"
"""Lies beside the image for other programs; what it says stands in the metadata, too. It names the product as well."""
_LAYER = r"(?P<stem>DESIS-HSI-\w{3}-.+?)-QL_\w+(?:-\d)?\.(?:TIFF?|HDR)"


class DesisReader:
    """Opens DESIS products."""

    example = "scene.zip"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for DESIS products of any level and their archives, else 0."""
        try:
            names = peek(Path(path))
            if any(re.fullmatch(f"{_NAME}|{DELIVERED}", name, re.IGNORECASE) for name in names):
                return 2
            named = path.is_file() and any(re.fullmatch(one, path.name, re.IGNORECASE) for one in (_HEADER, _LAYER))
            return 2 if named else 0
        except Exception:  # what cannot be looked at belongs to nobody
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a product as a scene.

        Parameters
        ----------
        path : pathlib.Path
            The folder, its ``METADATA.xml``, ``SPECTRAL_IMAGE.tif`` or ``.hdr``; or the zip, tar or gzipped tar as
            delivered, whose rasters are unpacked once into the cache folder (`hsgeo_sensors.common.cache`).
        options : mapping, optional
            See `hsgeo_sensors.config.DesisOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            Reflectance (L2A) or radiance in mW cm-2 sr-1 um-1 (L1B, L1C), and ``quality``: NODATA, and with the
            ``QL_QUALITY-2`` file of L2A also CLOUD, CLOUD_SHADOW and SNOW.

        Raises
        ------
        SceneError
            If files are missing, broken, of another level or of another product.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(DesisOptions, options)
        _refuse_layer(Path(path))
        product = bundle(Path(path)).product(_NAME, what="DESIS product: SPECTRAL_IMAGE.tif with its METADATA.xml")
        described, image = product.find(r"-METADATA\.XML"), product.find(r"-SPECTRAL_IMAGE\.TIFF?")
        if described is None or image is None:
            raise SceneError(
                f"{product.source} lacks the {'METADATA.xml' if described is None else 'SPECTRAL_IMAGE.tif'} of "
                f"{PurePosixPath(described or image or '').name}",
                "both, because the image has no wavelengths or scale of its own",
                "Put the missing file beside it, or download the product again",
            )
        name = f"{product.source}: {PurePosixPath(described).name}"
        stem = PurePosixPath(described).name[: -len("-METADATA.xml")]
        level = stem.split("-")[2].upper()
        if level not in LEVELS:
            raise SceneError(f"{name} is of level {level}", ", ".join(LEVELS), "Get the L2A product of this scene")
        about = read_metadata(product.read(described, limit=LARGEST), level=level, name=name)
        picture = look_at(product.path(image), about, mapped=level != "L1B", name=name)
        if level == "L1B":  # not orthorectified: a geotransform that a program put there is a coarse one
            picture = picture._replace(crs=None, transform=None)
        if chosen.check_grid:
            check_place(about, picture, name=name)
        mask, said = _mask(chosen, product, picture, name)
        quantity, units = LEVELS[level]
        unplaced = {"georeferencing": "none: sensor grid; RPCs or a transform in the image are not read"}
        notes = unplaced if level == "L1B" else {}
        return assemble(
            Cube(product, image, about, picture),
            wavelength=about.wavelength,
            fwhm=about.fwhm,
            detector=np.repeat("vnir", len(about.wavelength)),
            crs=picture.crs,
            transform=picture.transform,
            quality=Flags(product, image, about, picture, mask, chosen.haze),
            angles=about.angles,
            time=about.time,
            quantity=quantity,
            units=units,
            attrs={
                "sensor": "DESIS",
                "product_id": stem,
                "processing_level": level,
                "quality_source": said,
                **notes,
                **about.notes,
            },
            spectra_attrs={"scale_source": "gainOfBand and offsetOfBand of METADATA.xml"},
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as an L2A product, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            A folder, or a name that ends with ``.zip``, ``.tar`` or ``.tar.gz``.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a UTM grid of 30 m.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.desis.writer import write_desis

        return write_desis(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            epsg=int(CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg() or 0),
            origin=(float(scene["x"][0]), float(scene["y"][0])),
        )


def _refuse_layer(path: Path) -> None:
    layer = re.fullmatch(_LAYER, path.name, re.IGNORECASE)
    if layer is not None and path.is_file():
        raise SceneError(
            f"{path} holds quality layers of a DESIS product, and no spectra",
            "the product: its folder, METADATA.xml, SPECTRAL_IMAGE.tif or archive; QL_QUALITY-2 is then found",
            f"Give {layer['stem']}-METADATA.xml",
        )


def _mask(chosen: DesisOptions, product: Bundle, picture: Picture, name: str) -> tuple[tuple[Bundle, str] | None, str]:
    """Find the quality file; say what the flags come from."""
    if chosen.mask == "none":
        return None, "the fill value"
    if isinstance(chosen.mask, Path):
        given = chosen.mask.expanduser()
        if not given.is_file():
            raise SceneError(f"the mask {given} is no file", "a QL_QUALITY-2 GeoTIFF", "Correct the reader option mask")
        where: tuple[Bundle, str] | None = (bundle(given), given.name)
    else:
        beside = product.find(r"-QL_QUALITY-2\.TIFF?")
        where = None if beside is None else (product, beside)
    if where is None:
        lacking = "no QL_QUALITY-2 file was found, so no clouds, cloud shadows or snow; -o reader.mask=PATH names one"
        return None, f"the fill value; {lacking}"
    short = PurePosixPath(where[1]).name
    found = look_at(where[0].path(where[1]), None, mapped=False, name=f"{name}: {short}")
    if found.shape != picture.shape or found.count < 8:
        raise SceneError(
            f"{name}: {short} has {found.count} layers of {found.shape}, the image has {picture.shape}",
            "the QL_QUALITY-2 file of this product, 8 layers of flags or more on the same grid",
            f"{AGAIN}, or open it with the reader option mask=none",
        )
    if picture.transform is not None and (found.transform, found.crs) != (picture.transform, picture.crs):
        raise SceneError(f"{name}: {short} lies elsewhere than the image", "the QL_QUALITY-2 file of this scene", AGAIN)
    return where, short
