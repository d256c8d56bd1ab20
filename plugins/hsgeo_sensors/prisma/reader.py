"""PRISMA, all levels: the HDF-EOS5 granule as ``.he5`` or in its delivered ``.zip``.

Layout and traps: the scale comes from the file, DN 0 is no measurement in level 2 and a tiny radiance in level 1, bands
are those whose flag is set and whose centre is above 0, in descending order inside each detector. Level 2D is on a UTM
grid, the others on the sensor's (see `hsgeo_sensors.prisma.cube` for how its axes lie).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo_sensors.common.archive import granule
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.config import PrismaOptions, parse
from hsgeo_sensors.prisma.companion import companion, told
from hsgeo_sensors.prisma.cube import Cube, Place
from hsgeo_sensors.prisma.levels import read_contents
from hsgeo_sensors.prisma.quality import Flags

__all__ = ["PrismaReader"]


class PrismaReader:
    """Opens PRISMA granules of level 1, 2B, 2C and 2D."""

    example = "scene.he5"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for PRISMA granules of any level (unknown ones get their own message), 1 for other ``.he5``."""
        try:
            suffix, name = path.suffix.lower(), path.name.upper()
            if not path.is_file() or suffix not in (".he5", ".zip"):
                return 0
            if suffix == ".zip":
                import zipfile

                with zipfile.ZipFile(path) as archive:
                    inside = [m for m in archive.namelist() if m.lower().endswith(".he5")]
                return 2 if inside else int(name.startswith("PRS_"))
            return 2 if name.startswith("PRS_") or _is_prisma(path) else 1
        except Exception:  # a file that cannot be looked at is scored by its name: opening it says what is wrong
            return int(path.name.upper().startswith("PRS_"))

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a granule as a scene.

        Parameters
        ----------
        path : pathlib.Path
            ``.he5``, or a zip with exactly one. A zip is unpacked once into the cache folder, because compressed
            HDF5 cannot be read at random places (`hsgeo_sensors.common.cache`).
        options : mapping, optional
            See `hsgeo_sensors.config.PrismaOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra`` (reflectance of L2C and L2D, radiance of L1 and L2B) and ``quality``: NODATA outside the swath,
            SATURATED where a used band is, and what the masks of level 1 say (of the granule itself, or of the one
            that is its companion). On the sensor grid with ``lat`` and ``lon``, on the map grid with its CRS.

        Raises
        ------
        SceneError
            If the file or its companion is broken or of an unknown level, or its map grid contradicts itself.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(PrismaOptions, options)
        about = read_contents(granule(Path(path)))
        masks = companion(about, chosen.cloud_mask)
        swath = not about.level.mapped
        return assemble(
            Cube(about),
            wavelength=about.wavelength,
            fwhm=about.fwhm,
            detector=about.detector,
            keep=about.keep,
            overlap=chosen.overlap,
            crs=about.crs,
            transform=about.transform,
            quality=Flags(about, masks),
            lat=Place(about, 0) if swath else None,
            lon=Place(about, 1) if swath else None,
            angles=about.angles,
            time=about.start,
            quantity=about.level.quantity,
            units=about.level.units,
            attrs={
                "sensor": "PRISMA",
                "product_id": about.source.stem,
                "processing_level": f"L{about.level.name}",
                "quality_source": told(about, masks),
            },
            spectra_attrs={
                "scale_source": f"{about.level.scale[0].format('')} and {about.level.scale[1].format('')} attributes "
                "of the granule",
                "overlap": chosen.overlap,
            },
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a granule of this format, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.he5`` or ``.zip``. A name that starts with ``PRS_L1``, ``PRS_L2B`` or ``PRS_L2C`` chooses that level,
            any other is level 2D.
        scene : xarray.Dataset
            In the scene convention, with ``detector (band)``. Level 2D: reflectance on a UTM grid of 30 m. Level 2C:
            reflectance, lines by samples; level 1 and 2B: radiance, W m-2 sr-1 um-1. ``lat`` and ``lon``
            are written where the scene has them.

        Returns
        -------
        pathlib.Path
            What was written.

        Raises
        ------
        ConfigError
            If the scene does not hold what the level does.
        """
        import re

        from hsgeo.errors import ConfigError

        bands = {name: scene[name].values for name in ("wavelength", "fwhm", "detector")}
        match = re.match(r"PRS_L(1|2B|2C)_", path.name, re.IGNORECASE)
        if match is None:
            from pyproj import CRS

            from hsgeo_sensors.prisma.writer import write_prisma

            epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
            origin = float(scene["x"][0]), float(scene["y"][0])
            return write_prisma(path, scene["spectra"].values, **bands, epsg=int(epsg or 0), origin=origin)
        from hsgeo_sensors.prisma.swath_writer import write_prisma_swath

        level = match[1].upper()
        quantity, wanted = scene["spectra"].attrs["quantity"], "reflectance" if level == "2C" else "radiance"
        if quantity != wanted:
            raise ConfigError(f"the scene is {quantity}", f"{wanted}, which PRISMA level {level} holds")
        places = {n: scene[n].values for n in ("lat", "lon") if n in scene.coords}
        return write_prisma_swath(path, scene["spectra"].values, **bands, level=level, **places)


def _is_prisma(path: Path) -> bool:
    with open_hdf5(path) as file:
        return "Processing_Level" in file.attrs and "HDFEOS/SWATHS" in file
