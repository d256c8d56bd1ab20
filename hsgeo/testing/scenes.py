"""Tiny scenes with known truth, for the laws: seconds must be enough for a whole plugin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

__all__ = ["Known", "known_product", "known_scene"]

# Band centres keep clear of the default bad-band ranges (1340-1460, 1790-1970, above 2450 nm): all bands are good.
_BAD = ((1340.0, 1460.0), (1790.0, 1970.0))


@dataclass(frozen=True)
class Known:
    """A scene and the truth it was made from.

    Parameters
    ----------
    scene : xarray.Dataset
        In hsgeo's convention; every pixel valid.
    endmembers : xarray.DataArray
        ``(endmember, band)``, names as coordinate.
    abundance : xarray.DataArray
        ``(endmember, y, x)``; non-negative, sum to one.
    noise : float
        Standard deviation of the noise added, in units of the spectra.
    """

    scene: xr.Dataset
    endmembers: xr.DataArray
    abundance: xr.DataArray
    noise: float

    def library(self, variants: int = 1) -> xr.Dataset:
        """Return the endmembers as a spectral library; more ``variants`` make each a class of scaled spectra.

        Parameters
        ----------
        variants : int
            Spectra of each class; the first is the true one, others are scaled by 5 % more each.

        Returns
        -------
        xarray.Dataset
            ``spectra (spectrum, band)`` float32 with ``name`` and ``class``, and, for more than one variant, bundles.
        """
        E = self.endmembers.values
        scale = 1 + 0.05 * np.arange(variants)
        spectra = (E[:, None, :] * scale[None, :, None]).reshape(-1, E.shape[1])
        names = [str(name) for name in self.endmembers.endmember.values]
        labels = [name if variants == 1 else f"{name} {k}" for name in names for k in range(variants)]
        return xr.Dataset(
            {"spectra": (("spectrum", "band"), spectra.astype(np.float32))},
            coords={
                "name": ("spectrum", labels),
                "class": ("spectrum", [name for name in names for _ in range(variants)]),
                "band": self.endmembers.band.values,
                "wavelength": ("band", self.endmembers.wavelength.values),
                "fwhm": ("band", self.endmembers.fwhm.values),
            },
        )


def known_scene(
    *, height: int = 24, width: int = 20, bands: int = 24, endmembers: int = 3, noise: float = 1e-3, seed: int = 0
) -> Known:
    """Make a linear mixture of smooth spectra over smooth fields, with a pure patch of every endmember.

    Parameters
    ----------
    height, width : int
        Pixels; at least ``3 * endmembers`` columns.
    bands : int
        Number of bands between 450 and 2400 nm.
    endmembers : int
        Number of endmembers, named ``m1``, ``m2``, ...
    noise : float
        Standard deviation of white noise, reflectance.
    seed : int
        Of everything random here.

    Returns
    -------
    Known
        Scene and truth.
    """
    rng = np.random.default_rng(seed)
    grid = np.linspace(450.0, 2400.0, 4 * bands)
    free = grid[~np.any([(grid > low) & (grid < high) for low, high in _BAD], axis=0)]
    wavelength = free[np.linspace(0, len(free) - 1, bands).round().astype(int)]
    # One broad hump per endmember at its own place, on its own level: well apart, physical, no two collinear.
    centre = np.linspace(600.0, 2200.0, endmembers)[:, None]
    width_nm = 180.0 + 1200.0 / endmembers
    level = np.linspace(0.08, 0.2, endmembers)[:, None]
    E = level + 0.45 * np.exp(-0.5 * ((wavelength[None, :] - centre) / width_nm) ** 2)
    A = _fields(rng, endmembers, height, width)
    side = max(2, width // (2 * endmembers))
    for k in range(endmembers):  # pure patches, so that extraction has something to find
        top, left = (k * 7) % max(1, height - side), k * (width // endmembers)
        A[:, top : top + side, left : left + side] = 0.0
        A[k, top : top + side, left : left + side] = 1.0
    Y = np.einsum("kb,kyx->byx", E, A) + noise * rng.standard_normal((bands, height, width))
    names = [f"m{k + 1}" for k in range(endmembers)]
    band = np.arange(1, bands + 1)
    on_band = {"wavelength": ("band", wavelength), "fwhm": ("band", np.full(bands, 10.0))}
    y, x = 5_200_000.0 - 30.0 * np.arange(height) - 15.0, 600_000.0 + 30.0 * np.arange(width) + 15.0
    scene = xr.Dataset(
        {"spectra": (("band", "y", "x"), Y.astype(np.float32), {"quantity": "reflectance", "units": "1"})},
        coords={"band": band, **on_band, "good": ("band", np.ones(bands, bool)), "y": y, "x": x},
        attrs={"sensor": "known", "product_id": f"known-{seed}"},
    )
    import rioxarray  # noqa: F401  the accessor; heavy, so not at the top

    scene = scene.rio.write_crs(32632)
    scene["spatial_ref"].attrs["GeoTransform"] = "600000.0 30.0 0.0 5200000.0 0.0 -30.0"
    scene.spectra.attrs["grid_mapping"] = "spatial_ref"
    scene.spectra.encoding.pop("grid_mapping", None)
    scene = scene.set_xindex("wavelength")
    truth = xr.DataArray(
        E.astype(np.float32), dims=("endmember", "band"), coords={"endmember": names, "band": band, **on_band}
    )
    abundance = xr.DataArray(
        A.astype(np.float32), dims=("endmember", "y", "x"), coords={"endmember": names, "y": y, "x": x}
    )
    return Known(scene, truth, abundance, noise)


def known_product(known: Known | None = None) -> xr.Dataset:
    """Make a product from the truth of a known scene, for the laws of writers.

    Parameters
    ----------
    known : Known, optional
        The default scene when left out.

    Returns
    -------
    xarray.Dataset
        ``abundance``, ``endmembers``, ``rmse`` and ``quality`` in hsgeo's convention, numpy-backed, one nodata pixel.
    """
    from hsgeo.plugin import Quality
    from hsgeo.product.template import assemble

    known = known or known_scene()
    A = known.abundance.copy(deep=True)
    A[:, 3, 2] = np.nan
    missing = np.isnan(A.values[0])
    quality = np.where(missing, Quality.NODATA.value, 0).astype(np.uint16)
    rmse = np.where(missing, np.nan, known.noise).astype(np.float32)
    tiles = {"abundance": A.drop_vars(["endmember", "y", "x"])} | {
        name: xr.DataArray(values, dims=("y", "x")) for name, values in (("rmse", rmse), ("quality", quality))
    }
    fixed = known.endmembers.to_dataset(name="endmembers")
    fixed = fixed.assign_coords(good=("band", np.ones(fixed.sizes["band"], bool)))
    attrs = {"hsgeo_run_id": "run-1", "hsgeo_provenance": "{}", "hsgeo_volatile": "{}"}
    return assemble(known.scene, tiles, fixed, attrs=attrs)


def _fields(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Return ``(count, height, width)`` smooth random abundances: softmax of a few random cosines."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    fields = np.zeros((count, height, width))
    for field in fields:
        for _ in range(4):
            fy, fx, phase = rng.uniform(-2, 2), rng.uniform(-2, 2), rng.uniform(0, 2 * np.pi)
            field += np.cos(2 * np.pi * (fy * y + fx * x) + phase)
    weights = np.exp(1.2 * fields)
    return weights / weights.sum(0)
