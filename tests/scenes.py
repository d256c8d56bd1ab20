"""Tiny known-truth scenes for the tests of the core; plain numpy, so that nothing hsgeo does hides in them."""

from __future__ import annotations

import numpy as np
import xarray as xr

WAVELENGTH = np.linspace(450.0, 2400.0, 40)


def endmembers(count: int = 3, wavelength: np.ndarray = WAVELENGTH) -> np.ndarray:
    """Smooth, distinct reflectances ``(endmember, band)``."""
    x = (wavelength - 400) / 2100
    shapes = [
        0.05 + 0.45 / (1 + np.exp(-(wavelength - 720) / 15)) * np.exp(-1.2 * x),
        0.10 + 0.35 * x**0.7,
        0.09 * np.exp(-5 * x) + 0.005,
        0.16 + 0.05 * np.sin(5 * x),  # not bright: bright and flat is what the screen takes for cloud
        0.15 + 0.25 * np.exp(-(((wavelength - 1650) / 250) ** 2)),
    ]
    return np.array(shapes[:count])


def abundances(height: int, width: int, count: int = 3, seed: int = 0) -> np.ndarray:
    """Fields of nearly pure pixels with mixed ones between, ``(endmember, y, x)``."""
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.full(count, 0.3), (height, width)).transpose(2, 0, 1)
    labels = (np.add.outer(np.arange(height) * 3 // max(height, 1), np.arange(width) * 5 // max(width, 1))) % count
    pure = rng.random((height, width)) < 0.4
    for k in range(count):
        A[:, pure & (labels == k)] = np.eye(count)[k][:, None]
    return A


def make_scene(
    height: int = 24,
    width: int = 20,
    count: int = 3,
    *,
    noise: float = 0.002,
    seed: int = 0,
    crs: str | None = "EPSG:32633",
) -> xr.Dataset:
    """Build a scene in the convention, with ``attrs["truth"]`` left out: the truth is `abundances` and `endmembers`."""
    import rioxarray  # noqa: F401 - registers .rio

    E, A = endmembers(count), abundances(height, width, count, seed)
    rng = np.random.default_rng(seed + 1)
    Y = np.einsum("pb,pyx->byx", E, A) + rng.normal(0, noise, (WAVELENGTH.size, height, width))
    scene = xr.Dataset(
        {"spectra": (("band", "y", "x"), Y.astype(np.float32), {"quantity": "reflectance", "units": "1"})},
        coords={
            "band": np.arange(1, WAVELENGTH.size + 1),
            "wavelength": ("band", WAVELENGTH, {"units": "nm"}),
            "fwhm": ("band", np.full(WAVELENGTH.size, 10.0), {"units": "nm"}),
            "good": ("band", np.ones(WAVELENGTH.size, bool)),
            "y": 5_800_000.0 - 30 * np.arange(height) - 15,
            "x": 350_000.0 + 30 * np.arange(width) + 15,
        },
        attrs={"sensor": "test", "product_id": "tiny"},
    )
    if crs is not None:
        scene = scene.rio.write_crs(crs).rio.write_transform()
        scene["spectra"].attrs["grid_mapping"] = "spatial_ref"
        scene["spectra"].encoding.pop("grid_mapping", None)
    return scene


def save(scene: xr.Dataset, path) -> None:
    """Write a scene as Zarr format 2."""
    scene.drop_indexes("wavelength", errors="ignore").to_zarr(path, zarr_format=2, consolidated=True)
