"""The files that belong to an EMIT granule: mask, uncertainty, observation; found by name, checked by content.

A granule's name is ``EMIT_<level>_<product>_<VVV>_<time>_<orbit>_<scene>.nc``. The time names the acquisition; the
product version ``VVV`` may differ between siblings (masks are a collection of their own since version 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hsgeo.errors import ConfigError, SceneError
from hsgeo_sensors.common.hdf5 import open_hdf5

__all__ = ["KINDS", "NAME", "MaskLayers", "centre_angles", "companion", "mask_layers", "text"]

NAME = re.compile(
    r"EMIT_(?P<level>L\d[AB]?)_(?P<product>[A-Z0-9]+)_(?P<version>\d{3})_"
    r"(?P<time>\d{8}T\d{6})_(?P<orbit>\d+)_(?P<scene>\d+)",
    re.IGNORECASE,
)
KINDS = {"mask": ("L2A", "MASK"), "uncertainty": ("L2A", "RFLUNCERT"), "observation": ("L1B", "OBS")}
SAME = {"flight_line": 31, "time_coverage_start": 19}
"""Attributes that name an acquisition, and how many characters do: emitYYYYMMDDthhmmss_oNNNNN_sNNN, whole seconds."""


class MaskLayers(NamedTuple):
    """Where a mask file keeps what, as positions in the last dimension of ``mask``; None where it has no such layer.

    Parameters
    ----------
    cloud, cirrus, spacecraft, dilated : int or None
        Flags of the thresholds; ``dilated`` is the cloud with the reach of its shadow around it.
    spectf, reach : int or None
        Of version 2: flag of the network, and distance to its nearest cloud, -1 beyond the reach of its shadow.
    fill : float
        Where nothing was decided.
    packed : bool
        If ``band_mask`` is there.
    """

    cloud: int | None
    cirrus: int | None
    spacecraft: int | None
    dilated: int | None
    spectf: int | None
    reach: int | None
    fill: float
    packed: bool


LAYERS = {
    "cloud": "cloud flag",
    "cirrus": "cirrus flag",
    "spacecraft": "spacecraft flag",
    "dilated": "dilated cloud flag",
    "spectf": "spectf cloud flag",
    "reach": "spectf buffer distance",
}


def text(value: Any) -> str:
    """Return an attribute as text, whichever way it was stored; empty for None.

    Parameters
    ----------
    value : object
        From ``attrs.get``.

    Returns
    -------
    str
        Without padding.
    """
    if value is None:
        return ""
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) else value
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip("\0 ")


def companion(
    kind: str, given: Path | str | None, *, path: Path, about: Mapping[str, Any], shape: tuple[int, int]
) -> Path | None:
    """Find a companion, and check that it is of the same acquisition and size.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    given : pathlib.Path, "none" or None
        What the user named; ``"none"``: go without; None: look beside the file.
    path : pathlib.Path
        Of the granule.
    about : mapping
        Its root attributes ``flight_line`` and ``time_coverage_start``, as text.
    shape : tuple of int
        Its rows and columns.

    Returns
    -------
    pathlib.Path or None
        None where there is none.

    Raises
    ------
    ConfigError
        If the given file is not there.
    SceneError
        If it is broken, of another kind, acquisition or size.
    """
    if given == "none":
        return None
    if given is not None and not Path(given).is_file():
        raise ConfigError(f"{kind}={given} is no file", f"an EMIT_{'_'.join(KINDS[kind])} file", "Correct the path")
    found = _beside(path, kind) if given is None else Path(given)
    if found is None:
        return None
    level, product = KINDS[kind]
    wanted = f"the EMIT {level} {product} file of the same acquisition as {path.name}"
    do = f"Give the right file with {kind}=, or {kind}=none to go without"
    name = {"mask": "mask", "uncertainty": "reflectance_uncertainty", "observation": "obs"}[kind]
    with open_hdf5(found, wanted) as file:
        if name not in file or getattr(file[name], "ndim", 0) != 3:
            raise SceneError(f"{found} has no {name} (downtrack, crosstrack, bands)", wanted, do)
        for key, length in SAME.items():
            mine, other = str(about.get(key, ""))[:length], text(file.attrs.get(key))[:length]
            if mine and other and mine != other:
                raise SceneError(f"{found} is of another acquisition: {key} {other}, not {mine}", wanted, do)
        if (have := file[name].shape[:2]) != shape:
            raise SceneError(f"{found} has {have[0]} x {have[1]} pixels, not {shape[0]} x {shape[1]}", wanted, do)
    return found


def _beside(path: Path, kind: str) -> Path | None:
    """Return the sibling of the same time and orbit; of several that with the same scene and version, or the newest."""
    mine = NAME.match(path.name)
    if mine is None:
        return None
    found = []
    for other in path.parent.iterdir():
        match = NAME.fullmatch(other.stem) if other.suffix.lower() == ".nc" else None
        if match is None or (match["level"].upper(), match["product"].upper()) != KINDS[kind]:
            continue
        if match["time"].upper() == mine["time"].upper() and match["orbit"] == mine["orbit"]:
            rank = (match["scene"] == mine["scene"], match["version"] == mine["version"], match["version"], other.name)
            found.append((rank, other))
    return max(found)[1] if found else None


def mask_layers(path: Path, *, bands: int, interpolated: bool) -> MaskLayers:
    """Find the layers of a mask file by their names.

    Parameters
    ----------
    path : pathlib.Path
        The mask file.
    bands : int
        Of the spectra, that ``band_mask`` must cover.
    interpolated : bool
        If ``band_mask`` is needed.

    Returns
    -------
    MaskLayers
        Positions.

    Raises
    ------
    SceneError
        If the names are missing or there is no cloud flag among them.
    ConfigError
        If ``band_mask`` is needed and not there.
    """
    wanted = "mask_bands with the names of the layers, among them a cloud flag"
    with open_hdf5(path, "an EMIT L2A mask") as file:
        mask = file["mask"]
        if "sensor_band_parameters/mask_bands" not in file:
            raise SceneError(f"{path} lacks sensor_band_parameters/mask_bands", wanted, "Download it again")
        names = [re.sub(r"[^a-z0-9]+", " ", text(n).lower()).strip() for n in file["sensor_band_parameters/mask_bands"]]
        at = {key: names.index(name) if name in names else None for key, name in LAYERS.items()}
        if len(names) != mask.shape[2] or at["cloud"] is None:
            raise SceneError(f"{path} has {mask.shape[2]} layers, named {names}", wanted, "Download it again")
        if mask.dtype.kind != "f" or "_FillValue" not in mask.attrs:
            raise SceneError(f"{path} has a mask of {mask.dtype}, _FillValue {mask.attrs.get('_FillValue')}", "float32")
        packed = "band_mask" in file and file["band_mask"].shape == (*mask.shape[:2], -(-bands // 8))
        if interpolated and not packed:
            raise ConfigError(
                f"{path} has no band_mask for {bands} bands, so interpolated values cannot be told",
                "a mask file of product version 1, which has one",
                "Leave interpolated at 'keep'",
            )
        return MaskLayers(**at, fill=float(np.ravel(mask.attrs["_FillValue"])[0]), packed=packed)


ANGLES = {
    "to-sensor azimuth": "view_azimuth",
    "to-sensor zenith": "view_zenith",
    "to-sun azimuth": "sun_azimuth",
    "to-sun zenith": "sun_zenith",
}


def centre_angles(path: Path) -> dict[str, float]:
    """Read the angles at the centre of a scene, or at the nearest of 25 places where they are known.

    Parameters
    ----------
    path : pathlib.Path
        An observation file.

    Returns
    -------
    dict of str to float
        Degrees, by the names of `hsgeo_sensors.common.assemble.ANGLES`.

    Raises
    ------
    SceneError
        If the layers are not named.
    """
    with open_hdf5(path, "an EMIT L1B observation file") as file:
        if "sensor_band_parameters/observation_bands" not in file:
            raise SceneError(f"{path} lacks sensor_band_parameters/observation_bands", "the names of its layers")
        labels = [text(n).lower() for n in file["sensor_band_parameters/observation_bands"]]
        at = {angle: k for prefix, angle in ANGLES.items() for k, n in enumerate(labels) if n.startswith(prefix)}
        obs = file["obs"]
        if len(labels) != obs.shape[2] or len(at) != len(ANGLES):
            raise SceneError(f"{path} has layers named {labels}", f"among them {', '.join(ANGLES)}")
        height, width = obs.shape[:2]
        places = sorted(
            ((r, c) for r in np.linspace(0, height - 1, 5).round() for c in np.linspace(0, width - 1, 5).round()),
            key=lambda place: abs(place[0] / height - 0.5) + abs(place[1] / width - 0.5),
        )
        for row, column in places:
            values = obs[int(row), int(column)].astype(float)
            if all(np.isfinite(values[k]) and abs(values[k]) <= 360 for k in at.values()):  # else fill, -9999
                return {angle: float(values[k]) for angle, k in at.items()}
    return {}
