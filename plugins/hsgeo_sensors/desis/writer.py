"""Synthetic DESIS products, faithful to the layout of DLR, of any size in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError
from hsgeo_sensors.common.packing import folder_for

__all__ = ["write_desis"]

PIXEL = 30.0
NOTHING = -32768
LAYERS = (
    "shadow", "land", "snow", "haze_land", "haze_water", "cloud_land", "cloud_water", "water", "aot", "wv",
)  # fmt: skip
"""In this order in ``QL_QUALITY-2``."""


def write_desis(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    level: str = "L2A",
    gain: npt.ArrayLike | None = None,
    offset: npt.ArrayLike | None = None,
    flags: Mapping[str, npt.ArrayLike] | None = None,
    shape: tuple[int, int] | None = None,
    epsg: int = 32632,
    origin: tuple[float, float] = (500010.0, 4649700.0),
    start: str = "2022-07-24T10:45:26.173541Z",
) -> Path:
    """Write reflectance or radiance as a DESIS product.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder; or a name that ends with ``.zip``, ``.tar`` or ``.tar.gz``.
    spectra : array_like or iterable of numpy.ndarray
        Reflectance (L2A) or radiance in mW cm-2 sr-1 um-1, ``(band, y, x)``, NaN for no measurement, or blocks of whole
        rows ``(band, rows, x)`` from north to south: memory then stays at a block.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, in the order of the image.
    level : {"L1B", "L1C", "L2A"}
        L1B has no map grid.
    gain, offset : array_like, shape (band,), optional
        ``value = DN * gain + offset``; None: those of the level (L2A 1e-4 and 0, others differ from band to band).
    flags : mapping of str to array_like of bool, shape (y, x), optional
        Layers of ``QL_QUALITY-2``, which L2A has: ``shadow``, ``snow``, ``haze_land``, ``haze_water``, ``cloud_land``,
        ``cloud_water``, ``water``. What is none of them is clear land.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the centre of pixel (0, 0), metres.
    start : str
        ISO 8601, start of the acquisition, UTC.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If bands, flags or shapes do not fit.
    """
    path = Path(path)
    blocks: Iterable[np.ndarray]
    if isinstance(spectra, np.ndarray) or shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), _rows(cube)
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    centres, widths = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    k = np.arange(len(centres))
    if gain is None:
        gain = np.full(len(k), 1e-4) if level == "L2A" else 1e-3 * (1 + 0.002 * k)
    if offset is None:
        offset = np.zeros(len(k)) if level == "L2A" else -0.02 + 1e-4 * k
    gains, offsets = np.asarray(gain, np.float64), np.asarray(offset, np.float64)
    if not len(centres) == len(widths) == len(gains) == len(offsets):
        raise ConfigError(f"{len(centres)} centres, {len(widths)} widths, {len(gains)} gains", "one for each band")
    if unknown := set(flags or {}) - set(LAYERS[:8]):
        raise ConfigError(f"flags {sorted(unknown)}", ", ".join(LAYERS[:8]))
    stamp = re.sub(r"[-:]", "", start)[:15]
    name = f"DESIS-HSI-{level}-DT0782910452_013-{stamp}-V0220"
    grid = {} if level == "L1B" else _grid(epsg, origin)
    with folder_for(path, name) as folder:
        _image(folder / f"{name}-SPECTRAL_IMAGE.tif", blocks, shape, grid, gains, offsets)
        if level == "L2A":
            _layers(folder / f"{name}-QL_QUALITY-2.tif", flags or {}, shape, grid)
        described = _metadata(level, centres, widths, gains, offsets, shape, epsg, origin, start)
        (folder / f"{name}-METADATA.xml").write_text(described, encoding="utf-8")
        header = _header(centres, widths, gains, offsets, shape)
        (folder / f"{name}-SPECTRAL_IMAGE.hdr").write_text(header, encoding="ascii")
    return path


def _rows(cube: np.ndarray, step: int = 64) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _grid(epsg: int, origin: tuple[float, float]) -> dict[str, Any]:
    from rasterio.transform import Affine

    corner = origin[0] - PIXEL / 2, origin[1] + PIXEL / 2
    return {"crs": f"EPSG:{epsg}", "transform": Affine(PIXEL, 0.0, corner[0], 0.0, -PIXEL, corner[1])}


def _created(path: Path, count: int, kind: str, shape: tuple[int, int], grid: dict[str, Any]) -> Any:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    profile: dict[str, Any] = {
        "driver": "GTiff", "count": count, "height": shape[0], "width": shape[1], "dtype": kind,
        "interleave": "pixel", "compress": "lzw", **grid,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the sensor grid of L1B
        return rasterio.open(path, "w", **profile)


def _image(
    path: Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int],
    grid: dict[str, Any],
    gain: np.ndarray,
    offset: np.ndarray,
) -> None:
    from rasterio.windows import Window

    row = 0
    with _created(path, len(gain), "int16", shape, {**grid, "nodata": NOTHING}) as file:
        for block in blocks:
            if block.shape[0] != len(gain) or block.shape[2] != shape[1] or row + block.shape[1] > shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({len(gain)}, rows, {shape[1]}), {shape[0]} rows in all",
                )
            stored = np.empty(block.shape, np.int16)
            for band, values in enumerate(block):
                number = np.rint((np.asarray(values, np.float64) - offset[band]) / gain[band])
                stored[band] = np.where(np.isnan(number), NOTHING, np.clip(number, NOTHING + 1, 32767)).astype(np.int16)
            file.write(stored, window=Window(0, row, shape[1], block.shape[1]))
            row += block.shape[1]
    if row != shape[0]:
        raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")


def _layers(path: Path, flags: Mapping[str, npt.ArrayLike], shape: tuple[int, int], grid: dict[str, Any]) -> None:
    stack = np.zeros((len(LAYERS), *shape), np.uint8)
    for name, where in flags.items():
        stack[LAYERS.index(name)] = np.asarray(where, bool)
    stack[LAYERS.index("land")] |= ~stack[:8].any(axis=0)
    stack[LAYERS.index("aot")], stack[LAYERS.index("wv")] = 12, 84  # 0.12 at 550 nm; 2 cm
    with _created(path, len(LAYERS), "uint8", shape, grid) as file:
        file.write(stack)
        for number, name in enumerate(LAYERS, start=1):
            file.set_band_description(number, name)


def _header(
    wavelength: np.ndarray, fwhm: np.ndarray, gain: np.ndarray, offset: np.ndarray, shape: tuple[int, int]
) -> str:
    """Describe the image as ENVI does: lists go over many lines, one value each."""
    plain = {
        "samples": shape[1], "lines": shape[0], "bands": len(gain), "header offset": 0, "file type": "TIFF",
        "data type": 2, "interleave": "bip", "byte order": 0, "data ignore value": NOTHING,
        "sensor type": "DESIS", "wavelength units": "Nanometers",
    }  # fmt: skip
    lists = {
        "band names": [f"Band {k}" for k in range(1, len(gain) + 1)],
        "wavelength": [f"{value:.4f}" for value in wavelength],
        "fwhm": [f"{value:.4f}" for value in fwhm],
        "data gain values": [repr(value) for value in gain.tolist()],
        "data offset values": [repr(value) for value in offset.tolist()],
    }
    lines = [f"{key} = {value}" for key, value in plain.items()]
    lines += [f"{key} = {{\n" + ",\n".join(values) + "}" for key, values in lists.items()]
    return "\n".join(["ENVI", *lines, ""])


def _metadata(
    level: str,
    wavelength: np.ndarray,
    fwhm: np.ndarray,
    gain: np.ndarray,
    offset: np.ndarray,
    shape: tuple[int, int],
    epsg: int,
    origin: tuple[float, float],
    start: str,
) -> str:
    from rasterio.warp import transform as warp

    east = [origin[0] + PIXEL * c for c in (0, shape[1] - 1)]
    north = [origin[1] - PIXEL * r for r in (0, shape[0] - 1)]
    # counter-clockwise, the last point is the first again
    ring = [(east[i], north[j]) for i, j in ((1, 1), (1, 0), (0, 0), (0, 1), (1, 1))]
    lon, lat = warp(f"EPSG:{epsg}", "EPSG:4326", *(list(v) for v in zip(*ring, strict=True)))
    points = "".join(
        f"<point><frame>point_{n}</frame><latitude>{y:.7f}</latitude><longitude>{x:.7f}</longitude></point>"
        for n, (x, y) in enumerate(zip(lon, lat, strict=True), start=1)
    )
    bands = "".join(
        f"<band><bandNumber>{n}</bandNumber><wavelengthCenterOfBand>{w:.4f}</wavelengthCenterOfBand>"
        f"<wavelengthWidthOfBand>{f:.4f}</wavelengthWidthOfBand><response>0.5,1.0,0.5</response>"
        f"<wavelengths>{w - f:.3f},{w:.3f},{w + f:.3f}</wavelengths><gainOfBand>{g!r}</gainOfBand>"
        f"<offsetOfBand>{o!r}</offsetOfBand><deadPixels>0</deadPixels><suspiciousPixel>0</suspiciousPixel></band>"
        for n, (w, f, g, o) in enumerate(
            zip(wavelength.tolist(), fwhm.tolist(), gain.tolist(), offset.tolist(), strict=True), start=1
        )
    )
    inner = "".join(f"<band><bandNumber>{n}</bandNumber><focal>0.32</focal></band>" for n in range(1, len(gain) + 1))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<hsi_doc>'
        f"<metadata><version>V0220</version></metadata><processing><ozoneValue>330</ozoneValue></processing>"
        f"<base><mission>DESIS</mission><sensor>HSI</sensor><productType>{level}</productType>"
        f"<temporalCoverage><startTime>{start}</startTime><endTime>{start}</endTime></temporalCoverage>"
        f"<spatialCoverage><boundingPolygon>{points}</boundingPolygon></spatialCoverage></base>"
        f"<specific><sunZenithAngle>27.25</sunZenithAngle><sunAzimuthAngle>151.75</sunAzimuthAngle>"
        f"<sceneIncidenceAngle>12.5</sceneIncidenceAngle><sceneAzimuthAngle>307.9</sceneAzimuthAngle>"
        f"<backgroundValue>{NOTHING}</backgroundValue><interiorOrientation>{inner}</interiorOrientation>"
        f"<numberOfBands>{len(gain)}</numberOfBands><bandCharacterisation>{bands}</bandCharacterisation>"
        "</specific></hsi_doc>\n"
    )
