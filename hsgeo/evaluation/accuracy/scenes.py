"""The scenes of the accuracy benchmark, each with its truth and the convention by which that truth was made."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError

__all__ = ["SCENES", "BenchScene", "add_noise", "as_scene", "load_scene"]


@dataclass(frozen=True)
class _Source:
    """Where a scene is.

    Parameters
    ----------
    file : str
        Below the data folder; empty: made by `hsgeo.synthetic`.
    ending : str
        Of the keys ``endmembers`` and ``abundances``, where a file holds two truths.
    convention : str
        Of the truth.
    materials : tuple of str
        Of a synthetic scene.
    library : str
        Spectral library of the same materials, below the data folder, for recipes that need one.
    level : str
        Its column of classes.
    """

    file: str
    ending: str
    convention: str
    materials: tuple[str, ...] = ()
    library: str = ""
    level: str = ""


SCENES: dict[str, _Source] = {
    "samson-zhu": _Source("unmixing/samson.npz", "_classic", "zhu_peak_nnls"),
    "samson-rasti": _Source("unmixing/samson.npz", "", "rasti_fcls"),
    "jasper-zhu": _Source("unmixing/jasper_ridge.npz", "", "zhu_peak_nnls"),
    "sim1": _Source("unmixing/misicnet_sim1.npz", "", "synthetic"),
    "dc1": _Source("unmixing/dc1.npz", "", "synthetic"),
    "berlin": _Source(
        "unmixing/enmap_berlin_simulated.npz",
        "",
        "independent",
        library="libraries/library_berlin.sli",
        level="level_3",
    ),
    "synthetic-4": _Source("", "", "synthetic", ("green-vegetation", "dry-vegetation", "soil", "water")),
    "synthetic-6": _Source(
        "", "", "synthetic", ("green-vegetation", "dry-vegetation", "soil", "water", "concrete", "roof-tile")
    ),
}
"""By name; the two Samson scenes are one image with two truths."""

_RENAMED = {"other/water": "water"}  # Berlin: its polygons call Other what its library calls water

_SIZE = (90, 100)  # rows and columns of synthetic scenes: about those of Samson and Jasper Ridge


@dataclass(frozen=True)
class BenchScene:
    """A scene with its truth.

    Parameters
    ----------
    name : str
        Of `SCENES`.
    cube : str
        What the image is called; scenes with one image share it, and its noise.
    digest : str
        Of the image and the truth.
    image : numpy.ndarray
        ``(rows, cols, bands)`` float32, reflectance, bands by wavelength.
    wavelength : numpy.ndarray
        ``(bands,)`` nm, ascending; nominal where the file has no better.
    E : numpy.ndarray
        True endmembers ``(bands, endmembers)``, float64.
    A : numpy.ndarray
        True abundances ``(pixels, endmembers)``, float64, in raster order.
    names : tuple of str
        Of the endmembers.
    convention : str
        By which rule the truth was made.
    library : xarray.Dataset or None
        Spectra with classes, for recipes that are given a library.
    """

    name: str
    cube: str
    digest: str
    image: np.ndarray
    wavelength: np.ndarray
    E: np.ndarray
    A: np.ndarray
    names: tuple[str, ...]
    convention: str
    library: xr.Dataset | None = None


@lru_cache(maxsize=8)  # a handful of scenes of 5 MB, asked for by every run
def load_scene(name: str, data: Path | None) -> BenchScene:
    """Load a scene.

    Parameters
    ----------
    name : str
        Of `SCENES`.
    data : pathlib.Path or None
        Folder with ``unmixing/*.npz``; synthetic scenes need none.

    Returns
    -------
    BenchScene
        The scene and its truth.

    Raises
    ------
    ConfigError
        There is no such scene, or its file is missing or damaged.
    """
    source = SCENES.get(name)
    if source is None:
        raise ConfigError(f"there is no benchmark scene {name!r}", ", ".join(SCENES), "Choose with --scenes")
    if not source.file:
        return _synthetic(name, source)
    if data is None:
        raise ConfigError(
            f"the scene {name} needs {source.file}, and no data folder is given",
            "a folder with the public benchmark scenes as .npz",
            "Give --data DIR or set HSGEO_DATA, or choose --scenes synthetic-4,synthetic-6",
        )
    path = data / source.file
    try:
        with np.load(path, allow_pickle=False) as held:
            image = held["image"].astype(np.float32)
            if "scale" in held:
                image = image / np.float32(held["scale"])
            E = held[f"endmembers{source.ending}"].astype(np.float64)
            A = held[f"abundances{source.ending}"].astype(np.float64)
            names = tuple(_RENAMED.get(str(item), str(item)) for item in held["names"])
            known = next((key for key in ("wavelength_nm", "wavelength_nm_nominal") if key in held), None)
            wavelength = held[known].astype(np.float64) if known else np.linspace(400, 2500, len(E))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"the scene {name} cannot be read from {path}: {error}",
            ".npz with image, endmembers, abundances and names",
            "See --data, or leave the scene out with --scenes",
        ) from error
    order = np.argsort(wavelength, kind="stable")  # scenes hold their bands by wavelength
    digest = hashlib.sha256(path.read_bytes() + source.ending.encode()).hexdigest()[:12]
    library = None
    if source.library:
        from hsgeo.spectra.library import by_class, read_library

        spectra = data / source.library
        library = by_class(read_library(spectra), level=source.level)
        digest = hashlib.sha256(digest.encode() + spectra.read_bytes()).hexdigest()[:12]
    return BenchScene(
        name,
        path.stem,
        digest,
        np.ascontiguousarray(image[..., order]),
        wavelength[order],
        E[order],
        A.reshape(-1, len(names)),
        names,
        source.convention,
        library,
    )


def _synthetic(name: str, source: _Source) -> BenchScene:
    from hsgeo.synthetic import synthetic_scene

    made = synthetic_scene(*_SIZE, names=source.materials, snr_db=float("inf"), seed=0, crs=None)
    image = np.ascontiguousarray(made.scene["spectra"].transpose("y", "x", "band").values)
    A = made.abundance.transpose("y", "x", "endmember").values.reshape(-1, len(source.materials)).astype(np.float64)
    return BenchScene(
        name,
        name,
        hashlib.sha256(image.tobytes() + A.tobytes()).hexdigest()[:12],
        image,
        made.scene["wavelength"].values,
        made.endmembers.values.T.astype(np.float64),
        A,
        source.materials,
        source.convention,
    )


def add_noise(image: np.ndarray, snr_db: float, *, seed: int, name: str = "") -> np.ndarray:
    """Add white Gaussian noise of variance ``|Y|_F^2 / (N L) 10^(-snr_db / 10)``.

    Parameters
    ----------
    image : numpy.ndarray
        Any shape.
    snr_db : float
        Signal-to-noise ratio, dB; infinity: none.
    seed : int
        Of the run.
    name : str
        Of the image, so that two images get different noise.

    Returns
    -------
    numpy.ndarray
        float32, the same shape.
    """
    if np.isinf(snr_db):
        return np.asarray(image, np.float32)
    rng = np.random.default_rng([seed, crc32(name.encode()), round(1000 * snr_db) % 2**32])
    sigma = np.sqrt(np.mean(np.square(image, dtype=np.float64)) * 10 ** (-snr_db / 10))
    return (image + sigma * rng.standard_normal(image.shape)).astype(np.float32)


def as_scene(image: np.ndarray, wavelength: np.ndarray) -> xr.Dataset:
    """Dress an image in the scene convention, with all bands good: these scenes come without their bad ones.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, cols, bands)`` float32 reflectance.
    wavelength : numpy.ndarray
        ``(bands,)`` nm, ascending.

    Returns
    -------
    xarray.Dataset
        ``spectra (band, y, x)``.
    """
    bands = wavelength.size
    return xr.Dataset(
        {
            "spectra": (
                ("band", "y", "x"),
                np.ascontiguousarray(np.moveaxis(image, 2, 0), np.float32),
                {"quantity": "reflectance", "units": "1"},
            )
        },
        {
            "band": np.arange(1, bands + 1),
            "wavelength": ("band", wavelength),
            "fwhm": ("band", np.full(bands, np.nan)),
            "good": ("band", np.ones(bands, bool)),
            "y": np.arange(float(image.shape[0])),
            "x": np.arange(float(image.shape[1])),
        },
    )
