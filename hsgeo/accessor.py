"""``ds.hsu``: hsgeo inside xarray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

__all__ = ["HsuAccessor"]


@xr.register_dataset_accessor("hsu")
class HsuAccessor:
    """Hyperspectral unmixing of a Dataset.

    Parameters
    ----------
    ds : xarray.Dataset
        A scene; or anything that `standardize` makes one of; or a product, for `plot`.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def check(self) -> None:
        """Check that the Dataset is a scene; all violations are reported at once, each with its fix.

        Raises
        ------
        SceneError
            If it is not.
        """
        from hsgeo.api import check_scene

        check_scene(self._ds)

    def standardize(
        self,
        *,
        spectra: str | None = None,
        wavelength: str | Sequence[float] | None = None,
        fwhm: str | Sequence[float] | None = None,
        units: str | None = None,
        scale: float | None = None,
        offset: float | None = None,
        nodata: float | None = None,
        quantity: str | None = None,
    ) -> xr.Dataset:
        """Bring somebody else's Dataset to the convention of scenes, lazily.

        Parameters
        ----------
        spectra : str, optional
            Name of the cube; None: the one 3-D variable.
        wavelength, fwhm : str or sequence of float, optional
            Coordinate name, or values.
        units : {"nm", "um"}, optional
            Of the wavelengths, where the Dataset does not say.
        scale, offset : float, optional
            ``value * scale + offset`` gives reflectance or radiance.
        nodata : float, optional
            Value that means no data.
        quantity : {"reflectance", "radiance"}, optional
            What the values are.

        Returns
        -------
        xarray.Dataset
            A scene.
        """
        from hsgeo.scene import standardize

        return standardize(
            self._ds,
            spectra=spectra,
            wavelength=wavelength,
            fwhm=fwhm,
            units=units,
            scale=scale,
            offset=offset,
            nodata=nodata,
            quantity=quantity,
        )

    def fit(
        self,
        *,
        recipe: str | Path | Mapping[str, Any] | None = None,
        stages: Sequence[Mapping[str, Any] | str] | None = None,
        options: Mapping[str, Any] | None = None,
        endmembers: str | Path | xr.Dataset | None = None,
        classes: str | Sequence[str] | None = None,
        labels: Any = None,
        label_field: str | None = None,
        label_layer: str | None = None,
        names_from: Any = None,
        seed: int | None = None,
    ) -> dict[str, xr.Dataset]:
        """Learn from this scene; see `hsgeo.fit`.

        Parameters
        ----------
        recipe, stages, options, endmembers, classes, labels, label_field, label_layer, names_from, seed
            As for `hsgeo.fit`.

        Returns
        -------
        dict of str to xarray.Dataset
            States, to be given to `unmix`.
        """
        from hsgeo.api import fit

        return fit(
            self._ds,
            recipe=recipe,
            stages=stages,
            options=options,
            endmembers=endmembers,
            classes=classes,
            labels=labels,
            label_field=label_field,
            label_layer=label_layer,
            names_from=names_from,
            seed=seed,
        )

    def unmix(
        self,
        *,
        recipe: str | Path | Mapping[str, Any] | None = None,
        stages: Sequence[Mapping[str, Any] | str] | None = None,
        options: Mapping[str, Any] | None = None,
        endmembers: str | Path | xr.Dataset | None = None,
        classes: str | Sequence[str] | None = None,
        labels: Any = None,
        label_field: str | None = None,
        label_layer: str | None = None,
        names_from: Any = None,
        state: Mapping[str, xr.Dataset] | str | Path | None = None,
        seed: int | None = None,
        tile: int | str = "auto",
        client: Any = None,
    ) -> xr.Dataset:
        """Unmix this scene, lazily; see `hsgeo.unmix`.

        Parameters
        ----------
        recipe, stages, options, endmembers, classes, labels, label_field, label_layer, names_from
            As for `hsgeo.unmix`.
        state, seed, tile, client
            As for `hsgeo.unmix`.

        Returns
        -------
        xarray.Dataset
            A product.
        """
        from hsgeo.api import unmix

        return unmix(
            self._ds,
            recipe=recipe,
            stages=stages,
            options=options,
            endmembers=endmembers,
            classes=classes,
            labels=labels,
            label_field=label_field,
            label_layer=label_layer,
            names_from=names_from,
            state=state,
            seed=seed,
            tile=tile,
            client=client,
        )

    def plot(
        self,
        path: str | Path | None = None,
        *,
        scene: xr.Dataset | None = None,
        truth: xr.Dataset | None = None,
    ) -> Any:
        """Draw a product: maps of abundance, rmse and quality, and the endmember spectra.

        Parameters
        ----------
        path : path, optional
            PNG to write.
        scene : xarray.Dataset, optional
            Its scene, for a colour picture beside the maps.
        truth : xarray.Dataset, optional
            True `abundance` and `endmembers`, drawn beside the estimated ones.

        Returns
        -------
        matplotlib.figure.Figure
            The figure; notebooks show it.
        """
        from hsgeo.product.picture import picture

        return picture(self._ds, path, scene=scene, truth=truth)

    def georeference(
        self, *, grid: Any = "auto", method: str = "nearest", resolution: float | None = None, tile: int | None = None
    ) -> xr.Dataset:
        """Bring a product, or a scene, onto a map, lazily: `hsgeo.georeference`.

        Parameters
        ----------
        grid : str, int, path, mapping, xarray.Dataset or xarray.DataArray
            ``"auto"``, ``"utm"``, a reference system, a grid, or the GeoTIFF or product whose grid it is.
        method : {"nearest", "bilinear"}
            How a cell takes its value.
        resolution : float, optional
            Side of a cell in the units of the reference system.
        tile : int, optional
            Side of the tiles of the map that are worked on.

        Returns
        -------
        xarray.Dataset
            The same variables on the grid.
        """
        from hsgeo.api import georeference

        return georeference(self._ds, grid=grid, method=method, resolution=resolution, tile=tile)

    def subset(
        self,
        *,
        bbox: Sequence[float] | str | None = None,
        crs: Any = "EPSG:4326",
        wavelength: Sequence[float] | Sequence[Sequence[float]] | str | None = None,
    ) -> xr.Dataset:
        """Cut a scene to a box and to ranges of wavelengths: `hsgeo.subset`.

        Parameters
        ----------
        bbox : sequence of float or str, optional
            West, south, east, north in ``crs``.
        crs : optional
            Reference system of the box.
        wavelength : pair of float, sequence of pairs, or str, optional
            Ranges in nm, ends included.

        Returns
        -------
        xarray.Dataset
            A scene.
        """
        from hsgeo.api import subset

        return subset(self._ds, bbox=bbox, crs=crs, wavelength=wavelength)

    def __dir__(self) -> list[str]:
        return ["check", "fit", "georeference", "plot", "standardize", "subset", "unmix"]
