"""AVIRIS Classic, NG, AVIRIS-3 and AVIRIS-5: one reader for the family, ENVI and netCDF-4."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from hsgeo_sensors.aviris.envi import open_envi
from hsgeo_sensors.aviris.names import UNPACKED, AvirisName, cubes_in, data_file
from hsgeo_sensors.aviris.netcdf import is_aviris, open_netcdf
from hsgeo_sensors.config import AvirisOptions, parse
from hsgeo_sensors.envi.header import find_pair, read_header
from hsgeo_sensors.envi.reader import EnviReader

__all__ = ["AvirisReader"]

NETCDF = (".nc", ".nc4", ".h5", ".hdf5")
ZARR = (".zgroup", ".zarray", "zarr.json")  # a store that was made of a flight line and named after it


class AvirisReader:
    """Opens flight lines of the AVIRIS family."""

    example = "ang20220714t101530_rfl_v1_img"  # AVIRIS-NG, which its name says
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 2 for an AVIRIS name or a header that names the instrument, 1 for other folders with cubes, else 0."""
        try:
            name = AvirisName.of(path.name)
            if path.is_dir():
                if any((path / file).exists() for file in ZARR):
                    return 0
                return 2 if name is not None else int(bool(cubes_in(path)))
            if path.suffix.lower() in NETCDF:
                return 2 if name is not None or is_aviris(path) else 0
            if name is not None and path.name.lower().endswith(UNPACKED):
                return 2
            if not EnviReader().score(path):
                # a data file of an AVIRIS name that has lost its header gets our message
                said = name is not None and (name.quantity or name.scene)
                return 2 if said and path.is_file() and not path.suffix else 0
            if name is not None:
                return 2
            pair = find_pair(path)
            sensor = read_header(pair[0] if pair else path).text("sensor type") or ""
            return 2 if "aviris" in sensor.lower() else 0
        except Exception:  # what cannot be looked at is not ours
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a flight line as a scene.

        Parameters
        ----------
        path : pathlib.Path
            ENVI header or data file, netCDF-4 file, or the folder of a granule that holds one of them. Side files
            (``.gain``, ``.spc``, observation geometry, uncertainty) are found beside it by their names.
        options : mapping, optional
            See `hsgeo_sensors.config.AvirisOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            A scene; with ``spectra_std`` where the product states an uncertainty.

        Raises
        ------
        SceneError
            If it is no cube, a file is broken or missing, or files contradict each other.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(AvirisOptions, options)
        path = data_file(Path(path))
        name = AvirisName.of(path.name)
        read = open_netcdf if path.suffix.lower() in NETCDF else open_envi
        return read(path, name, chosen, chunks)

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a product of this family, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.nc``: AVIRIS-5 L2A; any other: an AVIRIS-NG ENVI image, its header beside it.
        scene : xarray.Dataset
            Reflectance in the scene convention, with a CRS.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        import rioxarray  # noqa: F401  registers .rio

        values = scene["spectra"].values
        how: dict[str, Any] = {
            "wavelength": scene["wavelength"].values,
            "fwhm": scene["fwhm"].values,
            "crs": scene.rio.crs,
            "transform": scene.rio.transform(),
        }
        if path.suffix.lower() == ".nc":
            from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf

            return write_aviris_netcdf(path, values, **how)
        from hsgeo_sensors.aviris.writer import write_aviris

        return write_aviris(path, values, flavour="ng", **how)
