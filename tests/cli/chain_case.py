"""One landscape, known by a formula at any place and wavelength, in the products of every reader."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from affine import Affine
from hsgeo_sensors.arrays.writer import write_mat, write_npz
from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf, write_aviris_swath
from hsgeo_sensors.aviris.writer import write_aviris
from hsgeo_sensors.cf.writer import write_cf
from hsgeo_sensors.desis.writer import write_desis
from hsgeo_sensors.emit.writer import Acquisition, write_emit
from hsgeo_sensors.enmap.writer import STEM, write_enmap
from hsgeo_sensors.envi.writer import write_envi
from hsgeo_sensors.geotiff.writer import write_geotiff
from hsgeo_sensors.hyperion.writer import write_hyperion
from hsgeo_sensors.native.writer import write_native
from hsgeo_sensors.neon.writer import write_neon
from hsgeo_sensors.prisma.swath_writer import write_prisma_swath
from hsgeo_sensors.prisma.writer import write_prisma
from hsgeo_sensors.tanager.writer import write_tanager
from pyproj import CRS, Transformer

from tests.scenes import endmembers

ROWS, COLS = 26, 34
NAMES = ("plants", "soil", "clay")
BANDS = np.linspace(450.0, 2350.0, 25)
UP = Affine(30, 0, 499_995, 0, -30, 4_649_715)  # centre of the first pixel: 500010, 4649700


def light(wavelength):
    """Brightness of a white surface, 1 at the blue end: radiance is not reflectance times a number."""
    return 1.3 / (1 + (np.asarray(wavelength) / 900.0) ** 2)


def cover(row, col):
    """Abundances ``(3, ...)`` at a place, which no transposition, flip or half pixel leaves as they are."""
    row, col = np.asarray(row, float), np.asarray(col, float)
    waves = (
        1.05 + np.sin(0.43 * col + 0.11 * row + 0.4),
        1.05 + np.sin(0.45 * row - 0.13 * col + 1.7),
        1.05 + np.cos(0.33 * (row + col) + 0.2),
    )
    return np.stack(waves) / sum(waves)


@dataclass(frozen=True)
class Ground:
    """The landscape as a sensor sees it: ``bright`` is the radiance of a white surface, None: reflectance."""

    wavelength: np.ndarray = field(default_factory=lambda: BANDS)
    bright: float | None = None
    crs: int | None = 32632
    affine: Affine | None = UP

    def spectra(self, wavelength):
        """Endmembers ``(3, band)`` in the product's units."""
        E = endmembers(5, np.atleast_1d(wavelength))[[0, 1, 4]]
        return E if self.bright is None else E * self.bright * light(wavelength)

    def value(self, row, col, wavelength):
        return float(cover(row, col) @ self.spectra(wavelength)[:, 0])

    def places(self, down=0.0, right=0.0):
        """Coordinates of the centres of all pixels, or beside them; columns and rows where there is no map."""
        row, col = (v + 0.5 for v in np.mgrid[:ROWS, :COLS])
        return (Affine.identity() if self.affine is None else self.affine) * (col + right, row + down)

    @property
    def cube(self):
        return np.einsum("kb,kyx->byx", self.spectra(self.wavelength), cover(*np.mgrid[:ROWS, :COLS]))

    @property
    def fwhm(self):
        return np.full(self.wavelength.shape, 10.0)

    @property
    def bands(self):
        return {"wavelength": self.wavelength, "fwhm": self.fwhm}

    @property
    def detectors(self):
        return {**self.bands, "detector": np.where(self.wavelength < 1000, "vnir", "swir")}

    @cached_property
    def lon_lat(self):
        return Transformer.from_crs(self.crs, 4326, always_xy=True).transform(*self.places())

    @property
    def corner(self):
        return self.affine.c, self.affine.f

    @property
    def centre(self):
        return self.affine.c + self.affine.a / 2, self.affine.f + self.affine.e / 2


def prisma(folder, ground):
    return write_prisma(folder / "p.he5", ground.cube, **ground.detectors, origin=ground.centre)


def prisma_swath(folder, ground, *, level):
    lon, lat = ground.lon_lat
    path = folder / f"PRS_L{level}_STD_20210621101214_20210621101218_0001.he5"
    return write_prisma_swath(path, ground.cube, **ground.detectors, level=level, lat=lat, lon=lon)


def enmap(folder, ground, *, level):
    cube, bands = ground.cube, ground.detectors
    if level == "L1B":  # its other image, that of the SWIR, is there and is not what is opened
        more = {"wavelength": [1500.0, 1600.0], "fwhm": [10.0, 10.0], "detector": ["swir", "swir"]}
        cube, bands = np.concatenate([cube, cube[:2]]), {k: np.concatenate([v, more[k]]) for k, v in bands.items()}
    how = {"level": level, "epsg": 32632, "origin": UP * (0.5, 0.5), "block": 16}
    path = write_enmap(folder / "product", cube, **bands, **how)
    return path / f"{STEM.format(level=level)}-SPECTRAL_IMAGE_VNIR.TIF" if level == "L1B" else path


def emit(folder, ground, *, dataset):
    acquisition = Acquisition((ROWS, COLS), crs=f"EPSG:{ground.crs}", transform=ground.affine, cell=30 / 111_195)
    return write_emit(folder / "scene.nc", ground.cube, **ground.bands, acquisition=acquisition, dataset=dataset)


def desis(folder, ground, *, level):
    return write_desis(folder / "product", ground.cube, **ground.bands, level=level, origin=UP * (0.5, 0.5))


def hyperion(folder, ground):
    return write_hyperion(folder / "product", ground.cube, origin=ground.centre)


def aviris(folder, ground, *, name, flavour):
    how = {"flavour": flavour, "crs": ground.crs, "transform": ground.affine}
    return write_aviris(folder / name, ground.cube, **ground.bands, **how)


def aviris_map(folder, ground):
    name = "AV520250508t173511_000_L2A_OE_f9b3b7e7_RFL_ORT.nc"
    return write_aviris_netcdf(folder / name, ground.cube, **ground.bands, crs=ground.crs, transform=ground.affine)


def aviris_swath(folder, ground):
    name = "AV520250508t173511_000_L1B_RDN_1032338f_RDN.nc"
    how = {"crs": ground.crs, "sensor_grid": ground.affine, "cell": 20.0}
    return write_aviris_swath(folder / name, ground.cube, **ground.bands, **how)


def tanager(folder, ground, *, layout):
    quantity = "reflectance" if ground.bright is None else "radiance"
    how = {"layout": layout, "quantity": quantity, "epsg": ground.crs, "origin": ground.corner}
    return write_tanager(folder / "scene.h5", ground.cube, **ground.bands, **how)


def neon(folder, ground):
    how = {"epsg": ground.crs, "origin": ground.corner, "pixel": ground.affine.a}
    return write_neon(folder / "line.h5", ground.cube, **ground.bands, **how)


def envi(folder, ground):
    how = {"crs": ground.crs, "transform": ground.affine, "interleave": "bil"}
    return write_envi(folder / "scene.img", ground.cube, **ground.bands, **how)


def geotiff(folder, ground):
    how = {"crs": ground.crs, "transform": ground.affine, "block": 16}
    return write_geotiff(folder / "scene.tif", ground.cube, **ground.bands, **how)


def cf_map(folder, ground, *, name):
    x, y = ground.places()
    how = {"x": x[0], "y": y[:, 0], "crs_wkt": CRS.from_epsg(ground.crs).to_wkt(), "dims": ("y", "x", "wavelength")}
    return write_cf(folder / name, ground.cube, **ground.bands, **how)


def cf_swath(folder, ground, *, name):
    lon, lat = ground.lon_lat
    how = {"lat": lat, "lon": lon, "dims": ("bands", "y=line", "x=sample")}
    return write_cf(folder / name, ground.cube, **ground.bands, **how)


def mat(folder, ground, *, version):
    how = {"version": version, "max_value": 1e4, "wavelength": ground.wavelength}
    return write_mat(folder / "cube.mat", ground.cube, **how)


def npz(folder, ground, *, layout):
    place = {"epsg": ground.crs, "geotransform": ground.affine.to_gdal()} if ground.crs else {"size_keys": ("H", "W")}
    return write_npz(folder / "cube.npz", ground.cube, **ground.bands, layout=layout, **place)


def native(folder, ground, *, name):
    import xarray as xr

    kind = ("radiance", "W m-2 sr-1 um-1") if ground.bright else ("reflectance", "1")
    about = dict(zip(("quantity", "units"), kind, strict=True))
    spectra = ("band", "y", "x"), ground.cube.astype("f4"), about
    x, y = ground.places()
    coords = {"band": np.arange(1, len(ground.wavelength) + 1), "good": ("band", np.ones(len(ground.wavelength), bool))}
    coords |= {name: ("band", values) for name, values in ground.bands.items()}
    if ground.affine.is_rectilinear:
        mapping = {"crs_wkt": CRS.from_epsg(ground.crs).to_wkt()}
        mapping["GeoTransform"] = " ".join(map(str, ground.affine.to_gdal()))
        about["grid_mapping"] = "spatial_ref"
        coords |= {"x": x[0], "y": y[:, 0], "spatial_ref": ((), 0, mapping)}
    else:
        lon, lat = ground.lon_lat
        coords |= {"x": np.arange(COLS) + 0.5, "y": np.arange(ROWS) + 0.5}
        coords |= {"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    return write_native(xr.Dataset({"spectra": spectra}, coords, {"sensor": "mine"}), folder / name, chunk=16)
