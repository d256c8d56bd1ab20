"""The xarray engine: ``xr.open_dataset(path, engine="hsgeo")``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from hsgeo.errors import SceneError

__all__ = ["HsgeoBackendEntrypoint"]


class HsgeoBackendEntrypoint(BackendEntrypoint):
    """Opens whatever a reader of hsgeo opens."""

    description = "Hyperspectral scenes (PRISMA, ENVI, GeoTIFF with wavelengths, ...) through hsgeo's readers"
    url = ""
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "reader", "options")

    def open_dataset(  # type: ignore[override]  # xarray's signature has **kwargs; explicit names are its own advice
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        reader: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """Open a scene with lazy arrays; xarray's ``chunks=`` makes them dask arrays.

        Parameters
        ----------
        filename_or_obj : str or path
            A file, or the folder of a Zarr store.
        drop_variables : str or iterable of str, optional
            Variables to leave out.
        reader : str, optional
            Name of the reader; None: the one that knows the file best.
        options : mapping, optional
            Of the reader.

        Returns
        -------
        xarray.Dataset
            A scene.

        Raises
        ------
        SceneError
            As `hsgeo.scene.open_scene`.
        """
        from hsgeo.scene.opening import open_scene

        if not isinstance(filename_or_obj, (str, os.PathLike)):
            raise SceneError(f"engine 'hsgeo' was given a {type(filename_or_obj).__name__}", "a path")
        scene = open_scene(Path(filename_or_obj), reader=reader, options=options, chunks=None)
        if drop_variables is not None:
            names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables)
            scene = scene.drop_vars(names, errors="ignore")
        return scene

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Claim ENVI headers only, by name: other engines own .nc, .h5, .he5, .tif and .zarr.

        Parameters
        ----------
        filename_or_obj : object
            What the user gave.

        Returns
        -------
        bool
            Whether the name ends in ``.hdr``.
        """
        return isinstance(filename_or_obj, (str, os.PathLike)) and os.fspath(filename_or_obj).lower().endswith(".hdr")
