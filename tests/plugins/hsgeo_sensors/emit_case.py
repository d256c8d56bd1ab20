"""EMIT granules with all their companions, for the tests."""

import numpy as np
from hsgeo_sensors.emit.writer import Acquisition, write_emit
from hsgeo_sensors.emit.writer_sides import write_emit_mask, write_emit_observation

from hsgeo.scene import sensor

ROWS, COLUMNS = 23, 31
SWATH = Acquisition((ROWS, COLUMNS))
NAME = "EMIT_L2A_RFL_001_20230422T195924_2311213_002.nc"
BAD = 41  # bands of 285 that the product flags


def emit_bands():
    known = sensor("emit")
    return {"wavelength": known.wavelength, "fwhm": known.fwhm}


def emit_truth():
    """Each number differs; one pixel was not measured, and one value of another."""
    band, y, x = np.meshgrid(np.arange(285), np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
    values = (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)
    values[:, 4, 5] = np.nan
    values[61, 3, 7] = np.nan
    return values


def write_all(where):
    """Write a granule with all its companions."""
    truth, bands = emit_truth(), emit_bands()
    write_emit(where, truth, acquisition=SWATH, **bands)
    write_emit(where, truth / 50 + 0.001, acquisition=SWATH, dataset="reflectance_uncertainty", **bands)
    write_emit(where, truth * 8, acquisition=SWATH, dataset="radiance", **bands)
    interpolated = np.zeros(truth.shape, bool)
    interpolated[100, 9, 11] = interpolated[284, 0, 30] = True
    write_emit_mask(where, layers(), acquisition=SWATH, interpolated=interpolated)
    write_emit_observation(where, acquisition=SWATH, sun_zenith=30 + np.arange(COLUMNS) / 8)
    return where


def layers():
    """Cloud in row 10, its dilation in rows 9 to 11, others in a column each; nothing decided at (20, 20)."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    flags = {
        "cloud": rows == 10,
        "dilated": abs(rows - 10) <= 1,
        "cirrus": columns == 2,
        "water": columns == 25,
        "spacecraft": columns == 29,
        "aggregate": rows >= 0,
    }
    out = {name: flag.astype(np.float32) for name, flag in flags.items()}
    out["cloud"][20, 20] = np.nan
    return out


def given(kind, folder):
    return folder / NAME.replace("RFL", {"mask": "MASK", "uncertainty": "RFLUNCERT"}[kind])
