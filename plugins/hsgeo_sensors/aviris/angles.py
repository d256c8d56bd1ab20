"""Sun and view angles at the centre of an AVIRIS scene, from the observation file (OBS) that is delivered with it.

Slope, aspect and ``cos_i`` of these files are not used: AVIRIS-3 stores the slope from the vertical, and computes
``cos_i`` from that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.aviris.names import companion
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.envi.header import find_pair, read_header
from hsgeo_sensors.envi.raster import Raster

__all__ = ["angles_of"]

BANDS = {
    "view_azimuth": "to-sensor azimuth",
    "view_zenith": "to-sensor zenith",
    "sun_azimuth": "to-sun azimuth",
    "sun_zenith": "to-sun zenith",
    "hour": "utc time",
}
"""Words in the band names of ENVI files; netCDF variables have the same with underscores."""
LIMITS = {"view_azimuth": 360.0, "view_zenith": 180.0, "sun_azimuth": 360.0, "sun_zenith": 180.0, "hour": 48.0}
GRID = 15  # points across and down that are tried, nearest to the centre first, where the centre is void


def angles_of(
    cube: Path, key: str, said: Path | None, shape: tuple[int, int]
) -> tuple[dict[str, float], float | None, str]:
    """Find the observation file of a cube and read the angles of the valid point nearest to its centre.

    Parameters
    ----------
    cube : pathlib.Path
        The cube.
    key : str
        Its granule.
    said : pathlib.Path or None
        The user's observation file.
    shape : tuple of int
        Rows and columns of the cube.

    Returns
    -------
    angles : dict of str to float
        Of `hsgeo_sensors.common.assemble.ANGLES`, degrees; empty where there is no file.
    hour : float or None
        UTC at that point, decimal hours.
    source : str
        For the attributes of the scene.

    Raises
    ------
    SceneError
        If the user's file is not there, of another granule or of another grid, or has no angles.
    """
    path = companion(cube, key, "*_obs_ort", "*_OBS_ORT", "*OBS*.nc", "*obs*.nc", said=said)
    if path is None:
        return {}, None, "none: no observation file was found"
    found = _netcdf(path, shape) if path.suffix.lower() in (".nc", ".nc4", ".h5") else _envi(path, shape)
    if isinstance(found, str) or not found:
        why = found or "no valid angles"
        if said is not None:
            raise SceneError(f"{path} has {why}", "an observation file (OBS) of this cube", "Name another or none")
        return {}, None, f"none: {path.name} has {why}"
    hour = found.pop("hour", None)
    return found, hour, path.name


def _envi(path: Path, shape: tuple[int, int]) -> dict[str, float] | str:
    pair = find_pair(path)
    if pair is None:
        return "no header"
    header = read_header(pair[0])
    if (header.sizes["y"], header.sizes["x"]) != shape:
        return f"{header.sizes['y']} x {header.sizes['x']} pixels, and the cube {shape[0]} x {shape[1]}"
    names = [name.strip().lower() for name in (header.text("band names") or "").split(",")]
    places = {key: next((k for k, name in enumerate(names) if word in name), None) for key, word in BANDS.items()}
    listed = {key: place for key, place in places.items() if place is not None and place < header.sizes["band"]}
    if not listed:
        return "no angles among its band names"
    raw = Raster(header, pair[1])
    order = np.array(list(listed.values()))

    def read(row: int, column: int) -> dict[str, float]:
        values = raw.stored(order, (row, row + 1), (column, column + 1))[:, 0, 0]
        return dict(zip(listed, values.astype(float).tolist(), strict=True))

    return _nearest(read, shape)


def _netcdf(path: Path, shape: tuple[int, int]) -> dict[str, float] | str:
    try:
        with open_hdf5(path) as file:
            group = file.get("observation_parameters", file)
            fields = {
                key: group[word.replace("-", "_").replace(" ", "_")]
                for key, word in BANDS.items()
                if (word.replace("-", "_").replace(" ", "_") in group)
            }
            shapes = {field.shape for field in fields.values()}
            if len(shapes) != 1 or len(own := shapes.pop()) != 2:
                return "no angles of one shape"
            table = file.get("geolocation_lookup_table/sample")
            if shape not in (own, table.shape if table is not None else own):
                return f"{own[0]} x {own[1]} pixels, and the cube {shape[0]} x {shape[1]}"
            return _nearest(lambda row, column: {k: float(v[row, column]) for k, v in fields.items()}, own)
    except OSError as error:
        return f"broken contents ({error})"


def _nearest(read: Callable[[int, int], dict[str, float]], shape: tuple[int, int]) -> dict[str, float]:
    """Return the values at the first point with data; a void one has -9999 or NaN."""
    rows, columns = (np.unique(np.linspace(0, n - 1, GRID).round().astype(int)) for n in shape)
    points = [(shape[0] // 2, shape[1] // 2), *((int(r), int(c)) for r in rows for c in columns)]
    middle = np.array(shape) / 2
    for row, column in sorted(points, key=lambda p: float(np.abs((np.array(p) + 0.5 - middle) / middle).max())):
        values = read(row, column)
        if all(np.isfinite(v) and -180.0 <= v <= LIMITS[k] for k, v in values.items()):
            return {k: v % 360.0 if k.endswith("azimuth") else v for k, v in values.items()}
    return {}
