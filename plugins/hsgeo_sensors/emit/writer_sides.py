"""Synthetic companions of an EMIT granule: mask (product versions 1 and 2) and observation file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError
from hsgeo_sensors.emit.writer import FILL, Acquisition, begin_emit, dimension, variable

__all__ = ["write_emit_mask", "write_emit_observation"]

MASKS = {
    1: (
        ("cloud", "Cloud flag"),
        ("cirrus", "Cirrus flag"),
        ("water", "Water flag"),
        ("spacecraft", "Spacecraft Flag"),
        ("dilated", "Dilated Cloud Flag"),
        ("aerosol", "AOD550"),
        ("vapour", "H2O (g cm-2)"),
        ("aggregate", "Aggregate Flag"),
    )
}
MASKS[2] = (
    *((key, name.replace("flag", "Flag")) for key, name in MASKS[1]),
    ("probability", "SpecTf-Cloud Probability"),
    ("spectf", "SpecTf-Cloud Flag"),
    ("reach", "SpecTf-Buffer Distance"),
)
"""Order and names of the layers, by product version; version 2 adds those of a network and drops the band mask."""

OBSERVATION = (
    ("path", "Path length (sensor-to-ground in meters)", 440_000.0),
    ("view_azimuth", "To-sensor azimuth (0 to 360 degrees CW from N)", 131.0),
    ("view_zenith", "To-sensor zenith (0 to 90 degrees from zenith)", 11.5),
    ("sun_azimuth", "To-sun azimuth (0 to 360 degrees CW from N)", 179.5),
    ("sun_zenith", "To-sun zenith (0 to 90 degrees from zenith)", 22.25),
    ("phase", "Solar phase (degrees between to-sensor and to-sun vectors in principal plane)", 16.0),
    ("slope", "Slope (local surface slope as derived from DEM in degrees)", 3.0),
    ("aspect", "Aspect (local surface aspect 0 to 360 degrees clockwise from N)", 200.0),
    ("cosine", "Cosine(i) (apparent local illumination factor based on DEM slope and aspect)", 0.9),
    ("time", "UTC Time (decimal hours for mid-line pixels)", 19.99),
    ("distance", "Earth-sun distance (AU)", 1.005),
)
"""Layers of the observation file, and a value for each."""


def write_emit_mask(
    path: str | Path,
    layers: Mapping[str, npt.ArrayLike],
    *,
    acquisition: Acquisition,
    version: int = 1,
    interpolated: npt.ArrayLike | None = None,
) -> Path:
    """Write a mask file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or a folder.
    layers : mapping of str to array_like, shape (y, x)
        Of the keys in `MASKS`, NaN where nothing was decided; the others are 0, ``reach`` is -1.
    acquisition : Acquisition
        Of the granule.
    version : {1, 2}
        Of the product.
    interpolated : array_like of bool, shape (band, y, x), optional
        For ``band_mask``, of version 1 only.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ConfigError
        If a layer is unknown in this version.
    """
    names = MASKS[version]
    if unknown := set(layers) - {key for key, _ in names}:
        raise ConfigError(f"layers {sorted(unknown)}", f"those of version {version}: {[key for key, _ in names]}")
    path, file = begin_emit(path, "L2A_MASK", acquisition, bands=len(names), version=version)
    with file:
        _labels(file, "mask_bands", [name for _, name in names])
        values = np.zeros((*acquisition.shape, len(names)), np.float32)
        for k, (key, _) in enumerate(names):
            values[..., k] = layers.get(key, -1.0 if key == "reach" else 0.0)
        values[np.isnan(values).any(axis=-1)] = FILL
        dims = ("downtrack", "crosstrack", "bands")
        variable(file, file, "mask", values, dims, FILL, units="unitless", **_packing(values.shape))
        if version == 1 and interpolated is not None:
            packed = np.packbits(np.moveaxis(np.asarray(interpolated, bool), 0, 2), axis=-1)
            dimension(file, "packed_wavelength_bands", packed.shape[2])
            dims = ("downtrack", "crosstrack", "packed_wavelength_bands")
            variable(file, file, "band_mask", packed, dims, np.uint8(241), units="unitless", **_packing(packed.shape))
    return path


def write_emit_observation(path: str | Path, *, acquisition: Acquisition, **values: npt.ArrayLike) -> Path:
    """Write an observation file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or a folder.
    acquisition : Acquisition
        Of the granule.
    **values : array_like, shape (y, x) or ()
        Of the keys in `OBSERVATION`, NaN where unknown; the others are constant.

    Returns
    -------
    pathlib.Path
        What was written.
    """
    path, file = begin_emit(path, "L1B_OBS", acquisition, bands=len(OBSERVATION))
    with file:
        _labels(file, "observation_bands", [name for _, name, _ in OBSERVATION])
        obs = np.empty((*acquisition.shape, len(OBSERVATION)), np.float32)
        for k, (key, _, usual) in enumerate(OBSERVATION):
            obs[..., k] = values.get(key, usual)
        obs[np.isnan(obs)] = FILL
        variable(file, file, "obs", obs, ("downtrack", "crosstrack", "bands"), FILL, units="")
    return path


def _labels(file: Any, name: str, labels: list[str]) -> None:
    import h5py

    group = file.create_group("sensor_band_parameters")
    out = group.create_dataset(name, (len(labels),), h5py.string_dtype())
    out[...] = labels
    out.dims[0].attach_scale(file["bands"])


def _packing(shape: tuple[int, ...]) -> dict[str, Any]:
    chunks = tuple(max(1, -(-n // 4)) for n in shape)
    return {"chunks": chunks, "compression": "gzip", "compression_opts": 9, "shuffle": True}
