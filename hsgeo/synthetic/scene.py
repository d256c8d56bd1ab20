"""Synthetic scenes with known truth, whole or in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.synthetic.abundances import AbundanceField
from hsgeo.synthetic.fractal import Fractal
from hsgeo.synthetic.spectra import reflectance

__all__ = ["Rows", "SceneModel", "SyntheticScene", "synthetic_scene"]

DEFAULT_MATERIALS = ("green-vegetation", "dry-vegetation", "soil", "water", "concrete", "roof-tile")

_CLOUD = 0.72  # reflectance of a thick cloud in the visible
_SATURATED = 2.0  # brightness that no surface of the scene reaches
_UPPER_LEFT = (600_000.0, 4_640_000.0)  # m, UTM: any place inside the zone


@dataclass(frozen=True)
class Rows:
    """A block of rows of a synthetic scene.

    Parameters
    ----------
    start : int
        First row.
    spectra : numpy.ndarray
        ``(band, row, x)`` float32, NaN where not valid.
    abundance : numpy.ndarray
        True abundances of the ground ``(endmember, row, x)`` float32, also where it is not seen.
    valid, cloud, saturated : numpy.ndarray
        ``(row, x)`` bool: inside the swath; under cloud; saturated.
    """

    start: int
    spectra: np.ndarray
    abundance: np.ndarray
    valid: np.ndarray
    cloud: np.ndarray
    saturated: np.ndarray


@dataclass(frozen=True)
class SceneModel:
    """What a synthetic scene is made of; `rows` and `blocks` draw it piece by piece.

    Noise and planted faults are keyed to the absolute row, so that all blockings agree bit by bit.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    wavelength, fwhm : numpy.ndarray
        ``(band,)`` nm.
    names : tuple of str
        Materials out of `hsgeo.synthetic.MATERIALS`, in the order of the endmembers.
    snr_db : float
        White noise of variance ``mean(signal^2) * 10^(-snr_db / 10)``; infinity: none.
    seed : int
        Seed of everything.
    swath_angle : float or None
        Degrees by which the swath is turned inside the raster; pixels outside are invalid. None: all valid.
    cloud, saturated : float
        Fractions of the valid pixels under cloud and saturated.
    parcel : float or None
        Typical side of a parcel, pixels (`AbundanceField`).
    """

    height: int
    width: int
    wavelength: np.ndarray
    fwhm: np.ndarray
    names: tuple[str, ...] = DEFAULT_MATERIALS
    snr_db: float = 40.0
    seed: int = 0
    swath_angle: float | None = None
    cloud: float = 0.0
    saturated: float = 0.0
    parcel: float | None = None

    def __post_init__(self) -> None:
        for name in ("cloud", "saturated"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}", "a fraction from 0 to below 1")
        if not len(self.names) or len(set(self.names)) < len(self.names):
            raise ConfigError(f"materials {self.names}", "one or more different names")

    @cached_property
    def field(self) -> AbundanceField:
        """The landscape: ``water`` is the river, ``asphalt`` or ``concrete`` the roads."""
        river = self.names.index("water") if "water" in self.names else None
        paved = [self.names.index(name) for name in ("asphalt", "concrete") if name in self.names]
        return AbundanceField(
            self.height,
            self.width,
            len(self.names),
            seed=self.seed,
            parcel=self.parcel,
            river=river,
            road=paved[0] if paved else None,
        )

    @cached_property
    def endmembers(self) -> np.ndarray:
        """True endmembers `E`, ``(band, endmember)`` float64 reflectance."""
        return reflectance(self.names, self.wavelength, self.fwhm)

    @cached_property
    def noise_std(self) -> float:
        """Standard deviation of the noise in every band, reflectance."""
        if np.isinf(self.snr_db):
            return 0.0
        some = np.unique(np.linspace(0, self.height - 1, 32).astype(int))  # 32 rows tell the mean power well enough
        A = np.concatenate([self.field.rows(row, row + 1)[:, 0] for row in some], axis=1).astype(float)
        power = np.einsum("pn,pq,qn->", A, self.endmembers.T @ self.endmembers, A) / A.shape[1] / len(self.endmembers)
        return float(np.sqrt(power * 10 ** (-self.snr_db / 10)))

    @cached_property
    def _cloud_level(self) -> float:
        """Threshold of the cloud field that leaves the wanted fraction above it."""
        y, x = (np.linspace(0, n - 1, min(n, 256)) for n in (self.height, self.width))  # 256: 65,000 values do
        seen = self._inside(y[:, None], x[None, :])
        return float(np.quantile(self._cloud_field(y[:, None], x[None, :])[seen], 1 - self.cloud))

    def _cloud_field(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return Fractal(self.seed + 7, max(self.height, self.width) / 4, 6, 0.55)(y, x)

    def rows(self, start: int, stop: int) -> Rows:
        """Draw rows ``start ... stop``.

        Parameters
        ----------
        start, stop : int
            Rows, ``0 <= start < stop <= height``.

        Returns
        -------
        Rows
            Spectra, abundances and masks.
        """
        A = self.field.rows(start, stop)
        E = self.endmembers.astype(np.float32)
        bands, width = len(E), self.width
        spectra = np.zeros((bands, stop - start, width), np.float32)
        for band in range(bands):  # summed in a fixed order: BLAS would make the bits depend on the block
            for index in range(len(A)):
                spectra[band] += E[band, index] * A[index]
        y, x = np.arange(start, stop, dtype=float)[:, None], np.arange(width, dtype=float)[None, :]
        cloud = np.zeros((stop - start, width), bool)
        if self.cloud:
            height_of = self._cloud_field(y, x) - self._cloud_level
            cloud = height_of > 0
            # thick within a third of a unit of the field; the ice bands at 1500 and 2000 nm darken it
            thick = np.clip(0.6 + 1.2 * height_of, 0, 1)[cloud]
            ice = reflectance(("snow",), self.wavelength, self.fwhm)[:, 0].astype(np.float32)
            bright = np.float32(_CLOUD) * (np.float32(0.6) + np.float32(0.4) * ice)
            spectra[:, cloud] += thick * (bright[:, None] - spectra[:, cloud])
        saturated = np.zeros_like(cloud)
        for row in range(start, stop):
            rng = np.random.default_rng([self.seed, 0x5CE7E, row])
            saturated[row - start] = rng.random(width) < self.saturated
            if self.noise_std:
                noise = rng.standard_normal((bands, width), dtype=np.float32)
                spectra[:, row - start] += np.float32(self.noise_std) * noise
        spectra[:, saturated] = _SATURATED
        valid = self._inside(y, x)
        spectra[:, ~valid] = np.nan
        return Rows(start, spectra, A, valid, cloud & valid, saturated & valid)

    def blocks(self, rows: int = 64) -> Iterator[Rows]:
        """Draw the scene block by block, in memory bounded by one block.

        Parameters
        ----------
        rows : int
            Rows of a block; the last one may have fewer.

        Yields
        ------
        Rows
            The blocks from north to south.
        """
        for start in range(0, self.height, rows):
            yield self.rows(start, min(start + rows, self.height))

    def _inside(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Tell which pixels lie in the turned swath: the largest parallelogram the raster's edges allow."""
        if self.swath_angle is None:
            return np.ones((y.shape[0], x.shape[1]), bool)
        slope = np.tan(np.deg2rad(self.swath_angle))
        lean_x, lean_y = abs(slope) * self.height, abs(slope) * self.width
        u = x - (self.width - 1) / 2 + slope * (y - (self.height - 1) / 2)
        v = y - (self.height - 1) / 2 - slope * (x - (self.width - 1) / 2)
        return (np.abs(u) < (self.width - lean_x) / 2) & (np.abs(v) < (self.height - lean_y) / 2)


@dataclass(frozen=True)
class SyntheticScene:
    """A scene and its truth.

    Parameters
    ----------
    scene : xarray.Dataset
        In the scene convention: ``spectra (band, y, x)`` float32 and its coordinates.
    truth : xarray.Dataset
        ``abundance (endmember, y, x)`` float32, NaN outside the swath; ``endmembers (endmember, band)``;
        ``cloud`` and ``saturated (y, x)`` bool; the scene's coordinates.
    noise_std : float
        Standard deviation of the noise, reflectance.
    """

    scene: xr.Dataset
    truth: xr.Dataset
    noise_std: float

    @property
    def abundance(self) -> xr.DataArray:
        """True abundances ``(endmember, y, x)``."""
        return self.truth["abundance"]

    @property
    def endmembers(self) -> xr.DataArray:
        """True endmembers ``(endmember, band)``."""
        return self.truth["endmembers"]


def synthetic_scene(
    height: int = 120,
    width: int = 150,
    *,
    wavelength: np.ndarray | None = None,
    fwhm: np.ndarray | None = None,
    names: tuple[str, ...] = DEFAULT_MATERIALS,
    snr_db: float = 40.0,
    seed: int = 0,
    swath_angle: float | None = None,
    cloud: float = 0.0,
    saturated: float = 0.0,
    parcel: float | None = None,
    crs: int | None = 32633,
) -> SyntheticScene:
    """Make a scene with known truth, in memory.

    Parameters
    ----------
    height, width : int
        Size in pixels.
    wavelength, fwhm : numpy.ndarray, optional
        ``(band,)`` nm; by default 400 to 2500 nm every 10 nm, and 10 nm.
    names : tuple of str
        Materials out of `hsgeo.synthetic.MATERIALS`.
    snr_db : float
        Signal-to-noise ratio, dB (white noise); infinity: none.
    seed : int
        Seed of everything.
    swath_angle : float, optional
        Degrees by which the swath is turned inside the raster; outside is NaN.
    cloud, saturated : float
        Fractions of the valid pixels under cloud and saturated.
    parcel : float, optional
        Typical side of a parcel, pixels.
    crs : int or None
        EPSG code of the grid of 30 m pixels; None: no georeference.

    Returns
    -------
    SyntheticScene
        Scene, truth and noise.
    """
    wavelength = np.arange(400.0, 2501.0, 10.0) if wavelength is None else np.asarray(wavelength, float)
    fwhm = np.full(wavelength.shape, 10.0) if fwhm is None else np.asarray(fwhm, float)
    order = np.argsort(wavelength, kind="stable")
    model = SceneModel(
        height, width, wavelength[order], fwhm[order], tuple(names), snr_db, seed, swath_angle, cloud, saturated, parcel
    )
    spectra = np.empty((wavelength.size, height, width), np.float32)
    abundance = np.empty((len(names), height, width), np.float32)
    masks = np.empty((3, height, width), bool)
    for block in model.blocks():
        rows = slice(block.start, block.start + block.valid.shape[0])
        spectra[:, rows], abundance[:, rows] = block.spectra, block.abundance
        masks[:, rows] = block.valid, block.cloud, block.saturated
    abundance[:, ~masks[0]] = np.nan
    return _datasets(model, spectra, abundance, masks, np.arange(1, wavelength.size + 1)[order], crs)


def _datasets(
    model: SceneModel, spectra: np.ndarray, abundance: np.ndarray, masks: np.ndarray, band: np.ndarray, crs: int | None
) -> SyntheticScene:
    """Dress the arrays in the scene convention."""
    grid = _grid(model.height, model.width, crs)
    mapping = {"grid_mapping": "spatial_ref"} if crs is not None else {}
    bands = {
        "band": band,
        "wavelength": ("band", model.wavelength, {"units": "nm", "long_name": "band centre"}),
        "fwhm": ("band", model.fwhm, {"units": "nm", "long_name": "full width at half maximum"}),
        "good": ("band", np.ones(band.size, bool)),
    }
    attrs = {"quantity": "reflectance", "units": "1", "long_name": "surface reflectance", **mapping}
    scene = xr.Dataset({"spectra": (("band", "y", "x"), spectra, attrs)}, {**bands, **grid})
    scene.attrs = {"sensor": "synthetic", "product_id": f"synthetic-{model.height}x{model.width}-seed{model.seed}"}
    truth = xr.Dataset(
        {
            "abundance": (("endmember", "y", "x"), abundance, {"units": "1", "long_name": "true abundance", **mapping}),
            "endmembers": (("endmember", "band"), model.endmembers.T.astype(np.float32), {"units": "1"}),
            "cloud": (("y", "x"), masks[1], mapping),
            "saturated": (("y", "x"), masks[2], mapping),
        },
        {"endmember": list(model.names), **bands, **grid},
    )
    return SyntheticScene(scene.set_xindex("wavelength"), truth.set_xindex("wavelength"), model.noise_std)


def _grid(height: int, width: int, crs: int | None) -> dict[str, xr.Variable]:
    """Return the spatial coordinates: pixel centres, and the CRS with its transform."""
    if crs is None:
        return {"y": xr.Variable("y", np.arange(float(height))), "x": xr.Variable("x", np.arange(float(width)))}
    from pyproj import CRS  # comes with rioxarray; heavy, and only needed here

    left, top, step = *_UPPER_LEFT, 30.0
    metre = {"units": "metre"}
    y = xr.Variable("y", top - step * (np.arange(height) + 0.5), {"standard_name": "projection_y_coordinate", **metre})
    x = xr.Variable("x", left + step * (np.arange(width) + 0.5), {"standard_name": "projection_x_coordinate", **metre})
    attrs = {**CRS.from_epsg(crs).to_cf(), "GeoTransform": f"{left} {step} 0.0 {top} 0.0 {-step}"}
    attrs["spatial_ref"] = attrs["crs_wkt"]
    return {"y": y, "x": x, "spatial_ref": xr.Variable((), 0, attrs)}
