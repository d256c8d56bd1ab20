"""The rasters of a DESIS product: the image, its quality layers, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo_sensors.common.bundle import Bundle
from hsgeo_sensors.common.decoding import decode_cube
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.common.tiff import check_complete, open_tiff, read_tiff
from hsgeo_sensors.desis.meta import AGAIN, FILL, About

__all__ = ["LAYERS", "Cube", "Flags", "Picture", "check_place", "look_at"]

LAYERS = {
    1: Quality.CLOUD_SHADOW,
    3: Quality.SNOW,
    4: Quality.CIRRUS,  # haze over land: only where the user wants it
    5: Quality.CIRRUS,  # haze over water: the same
    6: Quality.CLOUD,  # over land
    7: Quality.CLOUD,  # over water
}
"""Layers of ``QL_QUALITY-2``, from 1. 2 and 8 are clear land and water, 9 and 10 aerosol and water vapour."""
PROBES = 4  # bands that must all hold the fill value before a pixel counts as outside


class Picture(NamedTuple):
    """What the header of a GeoTIFF says.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    count : int
        Bands.
    crs, transform : object or None
        None for a file without a map grid.
    """

    shape: tuple[int, int]
    count: int
    crs: Any
    transform: Any


def look_at(path: Path, about: About | None, *, mapped: bool, name: str) -> Picture:
    """Read the header of a GeoTIFF and check it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    about : About, optional
        The metadata whose bands an image must have; None for quality layers.
    mapped : bool
        Whether it must lie on a map grid.
    name : str
        For messages.

    Returns
    -------
    Picture
        The header.

    Raises
    ------
    SceneError
        If it is no such GeoTIFF.
    """
    from rasterio.errors import RasterioError

    wanted = ("int16",) if about is not None else ("uint8", "int16", "uint16")
    try:
        with open_tiff(path) as file:
            plain = file.crs is None or file.transform.is_identity
            found = Picture(file.shape, file.count, None if plain else file.crs, None if plain else file.transform)
            kind = file.dtypes[0]
            check_complete(file, name=f"{name}: {path.name}", do=AGAIN)
    except RasterioError as error:
        raise SceneError(f"{name}: {path.name} is no readable TIFF: {error}", "a complete GeoTIFF", AGAIN) from error
    if kind not in wanted:
        raise SceneError(f"{name}: {path.name} holds {kind}", " or ".join(wanted), AGAIN)
    if about is not None and found.count != len(about.wavelength):
        raise SceneError(
            f"{name} lists {len(about.wavelength)} bands, and {path.name} has {found.count}", "as many", AGAIN
        )
    if mapped and (found.transform is None or found.transform.e >= 0 or found.transform.b or found.transform.d):
        raise SceneError(f"{name}: {path.name} is on no map grid that runs north to south", "a map grid", AGAIN)
    return found


def check_place(about: About, picture: Picture, *, name: str) -> None:
    """Compare the bounding polygon of the metadata with the grid of the image.

    The polygon is that of the orthorectified tile or of the tile before that: it is not exact, but it cannot be
    elsewhere. Half of it, and of the grid, must be common.

    Parameters
    ----------
    about : About
        The metadata.
    picture : Picture
        The image.
    name : str
        For messages.

    Raises
    ------
    SceneError
        If they are of different places.
    """
    from rasterio.warp import transform as warp

    if picture.transform is None or not about.corners:
        return
    lon, lat = zip(*about.corners, strict=True)
    east, north = (np.asarray(v) for v in warp("EPSG:4326", picture.crs, list(lon), list(lat)))
    rows, cols = picture.shape
    left, top = picture.transform.c, picture.transform.f
    right, bottom = left + cols * picture.transform.a, top + rows * picture.transform.e
    width = min(right, east.max()) - max(left, east.min())
    height = min(top, north.max()) - max(bottom, north.min())
    largest = max((right - left) * (top - bottom), np.ptp(east) * np.ptp(north))
    if not (width > 0 and height > 0 and width * height >= 0.5 * largest):
        digits = 4 if picture.crs.is_geographic else 0
        corners = ((east.min(), north.max()), (east.max(), north.min()), (left, top), (right, bottom))
        a, b, c, d = (f"({x:.{digits}f}, {y:.{digits}f})" for x, y in corners)
        raise SceneError(
            f"{name} has a bounding polygon from {a} to {b}, and the image lies from {c} to {d}",
            "metadata and image of one scene, both whole",
            f"{AGAIN}; if the image was cut and you trust it, open it with the reader option check_grid=false",
        )


class Cube(LazyRaster):
    """The image in physical units.

    Parameters
    ----------
    product : Bundle
        The files.
    image : str
        The image among them.
    about : About
        The metadata.
    picture : Picture
        The header of the image.
    """

    def __init__(self, product: Bundle, image: str, about: About, picture: Picture) -> None:
        super().__init__(product.source, (picture.count, *picture.shape))
        self.product, self.image, self.plain = product, image, picture.transform is None
        self.gain, self.offset, self.nodata = about.gain, about.offset, about.nodata

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and scale a window."""
        assert bands is not None
        raw = read_tiff(self.product.path(self.image), [int(b) + 1 for b in bands], rows, cols, quiet=self.plain)
        fill = (self.nodata, float(FILL))
        return decode_cube(raw, axis=0, gain=self.gain[bands], offset=self.offset[bands], nodata=fill)


class Flags(LazyRaster):
    """Quality bits.

    Parameters
    ----------
    product : Bundle
        The files.
    image : str
        The image among them: its fill value tells what is outside.
    about : About
        The metadata.
    picture : Picture
        The header of the image.
    mask : (Bundle, str) or None
        Where the ``QL_QUALITY-2`` file is.
    haze : bool
        Whether haze counts.
    """

    def __init__(
        self,
        product: Bundle,
        image: str,
        about: About,
        picture: Picture,
        mask: tuple[Bundle, str] | None,
        haze: bool,
    ) -> None:
        super().__init__(product.source, picture.shape, np.uint16)
        self.product, self.image, self.mask, self.plain = product, image, mask, picture.transform is None
        self.fill = tuple({about.nodata, float(FILL)})
        self.layers = [n for n, bit in LAYERS.items() if haze or bit != Quality.CIRRUS]
        self.probes = [int(n) for n in np.unique(np.linspace(1, picture.count, PROBES + 2).astype(int)[1:-1])]
        self.known = int(Quality.NODATA)
        for number in self.layers if mask is not None else ():
            self.known |= int(LAYERS[number])

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read a few bands of the image and the layers of flags."""
        stored = read_tiff(self.product.path(self.image), self.probes, rows, cols, quiet=self.plain)
        outside = np.isin(stored, self.fill).all(axis=0)
        out = (outside * Quality.NODATA).astype(np.uint16)
        if self.mask is not None:
            layers = read_tiff(self.mask[0].path(self.mask[1]), self.layers, rows, cols, quiet=self.plain)
            for number, layer in zip(self.layers, layers, strict=True):
                out |= ((layer > 0) & ~outside) * np.uint16(LAYERS[number])
        return out
