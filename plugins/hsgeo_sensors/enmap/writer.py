"""Synthetic EnMAP products of level 1B, 1C and 2A, faithful to the delivered layout, of any size in bounded memory."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError
from hsgeo_sensors.enmap.writer_xml import Description, metadata

__all__ = ["STEM", "write_enmap"]

STEM = "ENMAP01-____{level}-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
LAYERS = ("CLASSES", "CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE", "SNOW", "TESTFLAGS")
SHIFT = 20
"""Rows by which the SWIR of an L1B is behind its VNIR."""


@dataclass(frozen=True)
class _Image:
    name: str  # of the file, without stem and suffix
    source: np.ndarray  # band of the input, in the order of the file
    dead: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    nodata: int
    behind: int  # rows


def write_enmap(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    detector: npt.ArrayLike,
    level: str = "L2A",
    shape: tuple[int, int] | None = None,
    dead: npt.ArrayLike | None = None,
    layers: Mapping[str, npt.ArrayLike] | None = None,
    defective: npt.ArrayLike | None = None,
    gain: npt.ArrayLike | None = None,
    offset: npt.ArrayLike | None = None,
    epsg: int = 32633,
    origin: tuple[float, float] = (360015.0, 5810985.0),
    corners: str = "edge",
    ending: str = ".TIF",
    xml_ending: str = ".XML",
    interleave: str = "band",
    block: int = 256,
    compress: str | None = "lzw",
    say_nodata: bool = True,
) -> Path:
    """Write spectra as an EnMAP product.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder; or ``.zip``, ``.tar``, ``.tar.gz``, which get the product's folder inside as it is delivered.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, y, x)``, reflectance for L2A, radiance in W m-2 sr-1 nm-1 for L1B and L1C; NaN for no measurement. Or
        blocks of whole rows ``(band, rows, x)`` from top to bottom: memory then stays at a few blocks.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, of the bands of ``spectra``, in any order.
    detector : array_like of str, shape (band,)
        ``"vnir"`` or ``"swir"``.
    level : {"L2A", "L1C", "L1B"}
        L1B writes one image for each detector, the SWIR `SHIFT` rows later, and a fit to the corners.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    dead : array_like of bool, shape (band,), optional
        Bands of ``spectra`` to store as nodata everywhere.
    layers : mapping of str to array_like, optional
        Stored numbers of QL_QUALITY layers, ``(y, x)``, by the end of their names; the others are clear, and CLASSES is
        1 (land), 3 where all bands are NaN.
    defective : array_like of bool, shape (band, y, x), optional
        For QL_PIXELMASK, in the order of ``spectra``.
    gain, offset : array_like, shape (band,), optional
        Of the bands of ``spectra``; default 1e-4 and 0 for L2A, and different ones for each band of L1B and L1C.
    epsg : int
        Of the UTM zone.
    origin : tuple of float
        Easting and northing of the centre of pixel (0, 0), metres.
    corners : {"edge", "centre", "placeholder"}
        What the corners of the map grid in the metadata are.
    ending, xml_ending : str
        ``.TIF``, ``_COG.TIF``, ``.TIFF``; ``.XML``, ``.XML.XML``: all occur.
    interleave : {"band", "pixel"}
        Of the GeoTIFFs.
    block : int
        Side of their tiles, a multiple of 16.
    compress : str, optional
        Of their tiles.
    say_nodata : bool
        Whether the images name their nodata value themselves.

    Returns
    -------
    pathlib.Path
        The folder or the archive.

    Raises
    ------
    ConfigError
        If bands, detectors or shapes do not fit.
    """
    path = Path(path)
    packed = path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz"))
    stem = STEM.format(level=level)
    if packed:
        path.parent.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(dir=path.parent, prefix="enmap-")) / stem if packed else path
    target.mkdir(parents=True, exist_ok=True)
    if isinstance(spectra, np.ndarray) or shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), _rows(cube, block)
    else:
        blocks = iter(cast("Iterable[np.ndarray]", spectra))
    centres, widths = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    labels = np.asarray(detector).astype(str)
    if set(labels) - {"vnir", "swir"} or not len(centres) == len(widths) == len(labels):
        raise ConfigError(
            f"{len(centres)} wavelengths, {len(widths)} widths, detectors {sorted(set(labels))}",
            "one of each for every band, detectors 'vnir' and 'swir'",
        )
    images = _images(level, centres, labels, dead, gain, offset)
    profile = {
        "driver": "GTiff", "height": shape[0], "width": shape[1], "tiled": True, "blockxsize": block,
        "blockysize": block, "interleave": interleave, "compress": compress, "BIGTIFF": "IF_SAFER",
        **_place(level, shape, epsg, origin),
    }  # fmt: skip
    statistics = _write_images(target / stem, images, blocks, shape, profile, defective, ending, say_nodata)
    _write_layers(target / stem, level, shape, profile, layers or {}, statistics["empty"], ending)
    description = Description(
        stem=stem, level=level, shape=shape, epsg=epsg, origin=origin, corners=corners, ending=ending,
        wavelength=np.concatenate([centres[i.source] for i in images]),
        fwhm=np.concatenate([widths[i.source] for i in images]),
        gain=np.concatenate([i.gain for i in images]), offset=np.concatenate([i.offset for i in images]),
        detector=np.concatenate([labels[i.source] for i in images]),
        dead=np.concatenate([i.dead for i in images]), nodata=images[0].nodata,
        mean=statistics["mean"], std=statistics["std"],
    )  # fmt: skip
    (target / f"{stem}-METADATA{xml_ending}").write_bytes(metadata(description))
    if packed:
        _pack(path, target)
        shutil.rmtree(target.parent)
    return path


def _rows(cube: np.ndarray, step: int) -> Iterator[np.ndarray]:
    for row in range(0, cube.shape[1], step):
        yield cube[:, row : row + step]


def _images(level: str, centres: np.ndarray, labels: np.ndarray, dead: Any, gain: Any, offset: Any) -> list[_Image]:
    count = len(centres)
    gone = np.zeros(count, bool) if dead is None else np.asarray(dead, bool)
    if level == "L2A":
        gains, offsets, nodata = np.full(count, 1e-4), np.zeros(count), -32768
    else:
        # made up, but as in the product: another pair for each band, offsets that are not 0
        gains, offsets, nodata = 1e-5 * (1 + np.arange(count) / count), 1e-4 * (1 + np.arange(count) % 7), 0
    gains = gains if gain is None else np.asarray(gain, np.float64)
    offsets = offsets if offset is None else np.asarray(offset, np.float64)
    order = np.argsort(centres, kind="stable")
    groups = [("-SPECTRAL_IMAGE", order, 0)]
    if level == "L1B":
        groups = [
            ("-SPECTRAL_IMAGE_VNIR", order[labels[order] == "vnir"], 0),
            ("-SPECTRAL_IMAGE_SWIR", order[labels[order] == "swir"], SHIFT),
        ]
    return [_Image(name, s, gone[s], gains[s], offsets[s], nodata, behind) for name, s, behind in groups]


def _place(level: str, shape: tuple[int, int], epsg: int, origin: tuple[float, float]) -> dict[str, Any]:
    from affine import Affine

    if level != "L1B":
        return {"crs": f"EPSG:{epsg}", "transform": Affine(30, 0, origin[0] - 15, 0, -30, origin[1] + 15)}
    # a fit to the corners of the swath, south at the top: it looks like georeferencing and is none
    return {"crs": "EPSG:4326", "transform": Affine(4.6e-4, 0, 12.9, 0, 2.9e-4, 52.2)}


def _write_images(
    stem: Path,
    images: list[_Image],
    blocks: Iterator[np.ndarray],
    shape: tuple[int, int],
    profile: dict[str, Any],
    defective: Any,
    ending: str,
    say_nodata: bool,
) -> dict[str, np.ndarray]:
    import rasterio
    from rasterio.windows import Window

    flaws = None if defective is None else np.asarray(defective, bool)
    bands = sum(len(i.source) for i in images)
    total, square, number = np.zeros(bands), np.zeros(bands), np.zeros(bands)
    empty = np.zeros(shape, bool)
    row = 0
    with ExitStack() as stack:

        def create(name: str, count: int, dtype: str, nodata: int | None) -> Any:
            file = rasterio.open(f"{stem}{name}{ending}", "w", **profile, count=count, dtype=dtype, nodata=nodata)
            return stack.enter_context(file)

        files = [create(i.name, len(i.source), "int16", i.nodata if say_nodata else None) for i in images]
        masks = [create(i.name.replace("SPECTRAL_IMAGE", "QL_PIXELMASK"), len(i.source), "uint8", None) for i in images]
        for block in blocks:
            part = np.asarray(block, np.float32)
            rows = slice(row, row + part.shape[1])
            if part.shape[2] != shape[1] or rows.stop > shape[0]:
                raise ConfigError(f"a block of {part.shape} at row {row}", f"rows of {shape[1]}, {shape[0]} in all")
            empty[rows] = True
            for plane in part:  # one at a time: blocks may be large
                empty[rows] &= np.isnan(plane)
            first = 0
            for image, file, mask in zip(images, files, masks, strict=True):
                stored = np.empty((len(image.source), *part.shape[1:]), np.int16)
                marks = np.empty(stored.shape, np.uint8)
                for k, band in enumerate(image.source):
                    stored[k] = _encode(part[band], image, k)
                    live = stored[k][stored[k] != image.nodata] * image.gain[k] + image.offset[k]
                    number[first + k] += live.size
                    total[first + k] += live.sum()
                    square[first + k] += (live**2).sum()
                    marks[k] = empty[rows] * np.uint8(255)
                    if flaws is not None:
                        marks[k][flaws[band, rows]] = 1
                first += len(image.source)
                # what the later detector sees at a place, it stores further down; what falls off the end is lost
                top = min(rows.start + image.behind, shape[0])
                count = min(stored.shape[1], shape[0] - top)
                if count > 0:
                    window = Window(0, top, shape[1], count)
                    file.write(stored[:, :count], window=window)
                    mask.write(marks[:, :count], window=window)
                if row == 0 and image.behind:
                    blank = np.full((len(image.source), min(image.behind, shape[0]), shape[1]), image.nodata, np.int16)
                    file.write(blank, window=Window(0, 0, shape[1], blank.shape[1]))
            row = rows.stop
    if row != shape[0]:
        raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")
    counted = np.maximum(number, 1)
    mean = total / counted
    return {"mean": mean, "std": np.sqrt(np.maximum(square / counted - mean**2, 0)), "empty": empty}


def _encode(values: np.ndarray, image: _Image, k: int) -> np.ndarray:
    if image.dead[k]:
        return np.full(values.shape, image.nodata, np.int16)
    number = np.rint((values.astype(np.float64) - image.offset[k]) / image.gain[k])
    low = image.nodata + 1  # the lowest that is not nodata: -32767, or 1
    return np.where(np.isnan(number), image.nodata, np.clip(number, low, 32767)).astype(np.int16)


def _write_layers(
    stem: Path,
    level: str,
    shape: tuple[int, int],
    profile: dict[str, Any],
    layers: Mapping[str, npt.ArrayLike],
    empty: np.ndarray,
    ending: str,
) -> None:
    import rasterio

    given = {name.upper(): np.asarray(values, np.uint8) for name, values in layers.items()}
    names = list(LAYERS)
    if level == "L1B":
        names[-1:] = ["TESTFLAGS_VNIR", "TESTFLAGS_SWIR"]
    if set(given) - set(names):
        raise ConfigError(f"layers {sorted(set(given) - set(names))}", ", ".join(names))
    for name in names:
        values = given.get(name, np.where(empty, 3, 1) if name == "CLASSES" else np.zeros(shape))
        with rasterio.open(f"{stem}-QL_QUALITY_{name}{ending}", "w", **profile, count=1, dtype="uint8") as file:
            file.write(values.astype(np.uint8), 1)


def _pack(path: Path, folder: Path) -> None:
    members = sorted(folder.iterdir())
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for member in members:
                archive.write(member, f"{folder.name}/{member.name}")
        return
    plain = path.suffix.lower() == ".tar"
    with tarfile.open(path, "w" if plain else "w:gz", **({} if plain else {"compresslevel": 1})) as tar:
        for member in members:
            tar.add(member, f"{folder.name}/{member.name}")
