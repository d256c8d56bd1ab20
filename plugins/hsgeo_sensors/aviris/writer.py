"""Synthetic AVIRIS images in ENVI files, faithful to what is delivered, of any size in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hsgeo.errors import ConfigError

__all__ = ["FLAVOURS", "classic_bands", "write_aviris", "write_observation"]

FLAVOURS = {
    # stored numbers, interleave, what a void pixel holds, and whether the header says it
    "classic-radiance": (">i2", "bip", -50.0, False),
    "classic": ("<f4", "bil", math.nan, False),
    "classic-scaled": (">i2", "bip", -9999.0, True),
    "ng": ("<f4", "bil", -9999.0, True),
    "av3": ("<f4", "bil", -9999.0, True),
}
CODES = {"i2": 2, "f4": 4, "f8": 5}
SCALED = 10000.0
GAINS = ((110, 300.0), (160, 600.0), (10**6, 1200.0))
"""Factors of AVIRIS Classic's radiance, and the channel before which each holds."""
OBSERVED = (
    "Path length (m)",
    "To-sensor azimuth (0 to 360 degrees cw from N)",
    "To-sensor zenith (0 to 90 degrees from zenith)",
    "To-sun azimuth (0 to 360 degrees cw from N)",
    "To-sun zenith (0 to 90 degrees from zenith)",
    "Solar phase",
    "Slope",
    "Aspect",
    "Cosine(i)",
    "UTC Time",
    "Earth-sun distance (AU)",
)


def classic_bands(bands: int = 224) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return centres and widths like those of AVIRIS Classic: four spectrometers that overlap at the joins.

    Parameters
    ----------
    bands : int
        At least 16; 224 in the instrument.

    Returns
    -------
    tuple of numpy.ndarray, shape (bands,)
        Nanometres, in the order of the file; the centres step back three times.
    """
    share = np.round(np.array([32, 64, 64, 64]) / 224 * bands).astype(int)
    share[3] = bands - share[:3].sum()
    if share.min() < 2:
        raise ConfigError(f"{bands} bands", "16 or more")
    ends = ((365.9, 667.6), (655.5, 1262.3), (1253.6, 1873.3), (1867.1, 2496.2))
    centres = np.concatenate([np.linspace(low, high, n) for (low, high), n in zip(ends, share, strict=True)])
    return centres, np.repeat([9.6, 9.2, 10.9, 11.9], share)


def write_aviris(
    path: str | Path,
    spectra: npt.ArrayLike | Iterable[np.ndarray],
    *,
    wavelength: npt.ArrayLike,
    fwhm: npt.ArrayLike,
    flavour: str = "ng",
    shape: tuple[int, int] | None = None,
    crs: Any = None,
    transform: Any = None,
    bbl: npt.ArrayLike | None = None,
    centres_in: str = "header",
    say_scale: bool = True,
) -> Path:
    """Write reflectance or radiance as an AVIRIS image with its header and tables.

    Parameters
    ----------
    path : str or pathlib.Path
        The data file; named as JPL names it (``ang20220224t210144_rfl_v2aa1_img``) it is recognised by its name.
    spectra : array_like or iterable of numpy.ndarray
        ``(band, y, x)``, NaN for no measurement, or blocks of whole rows ``(band, rows, x)`` from the first row on.
    wavelength, fwhm : array_like, shape (band,)
        Nanometres, in the order of ``spectra``.
    flavour : str
        A key of `FLAVOURS`; ``"classic-radiance"`` also writes the ``.gain`` file.
    shape : tuple of int, optional
        Rows and columns; needed when blocks are given.
    crs : object, optional
        UTM on WGS 84, anything rasterio takes.
    transform : affine.Affine, optional
        Square pixels, may be rotated.
    bbl : array_like, shape (band,), optional
        1 good, 0 bad.
    centres_in : {"header", "spc", "nowhere"}
        Where band centres and widths are written.
    say_scale : bool
        Whether the header of ``"classic-scaled"`` states its factor of 10000.

    Returns
    -------
    pathlib.Path
        The data file.

    Raises
    ------
    ConfigError
        If an argument is not one of those listed, or blocks do not fit.
    """
    path = Path(path)
    if flavour not in FLAVOURS:
        raise ConfigError(f"flavour {flavour!r}", ", ".join(FLAVOURS))
    dtype, interleave, void, said = FLAVOURS[flavour]
    blocks: Iterable[np.ndarray]
    if shape is None:
        cube = np.asarray(spectra)
        shape, blocks = (cube.shape[1], cube.shape[2]), [cube]
    else:
        blocks = cast("Iterable[np.ndarray]", spectra)
    centres, widths = np.asarray(wavelength, np.float64), np.asarray(fwhm, np.float64)
    factor = np.ones(len(centres))
    if flavour == "classic-radiance":
        factor = np.array([next(gain for last, gain in GAINS if channel < last) for channel in range(len(centres))])
    elif flavour == "classic-scaled":
        factor[:] = SCALED
    _pixels(path, blocks, shape, factor, dtype, interleave, void)

    lines = ["ENVI", "description = {", f"  {path.name}}}", f"samples = {shape[1]}", f"lines = {shape[0]}"]
    lines += [f"bands = {len(centres)}", "header offset = 0", "file type = ENVI Standard"]
    lines += [f"data type = {CODES[dtype[1:]]}", f"interleave = {interleave}", f"byte order = {int(dtype[0] == '>')}"]
    if said:
        lines.append(f"data ignore value = {void:g}")
    if flavour == "classic-scaled" and say_scale:
        lines.append(f"reflectance scale factor = {SCALED:g}")
    lines += [f"sensor type = {'AVIRIS-NG' if flavour == 'ng' else 'AVIRIS'}", *_placed(crs, transform)]
    if centres_in == "header":
        lines += ["wavelength units = Nanometers", _listed("  wavelength", centres), _listed("  fwhm", widths)]
    if bbl is not None:
        lines.append("bbl = {" + ", ".join(str(int(b)) for b in np.asarray(bbl)) + "}")
    path.with_name(path.name + ".hdr").write_text("\n".join(lines) + "\n")
    stem = path.name.split("_sc01")[0].split("_corr")[0]
    if centres_in == "spc":
        rows = [
            f"{c:12.4f} {w:9.4f} {0.1:9.4f} {0.05:9.4f} {k + 1:4d}"
            for k, (c, w) in enumerate(zip(centres, widths, strict=True))
        ]
        path.with_name(stem + ".spc").write_text("\n".join(rows) + "\n")
    if flavour == "classic-radiance":
        path.with_name(stem + ".gain").write_text("".join(f"{g:10.1f} {k + 1:5d}\n" for k, g in enumerate(factor)))
    return path


def write_observation(
    path: str | Path,
    *,
    angles: dict[str, float],
    hour: float,
    shape: tuple[int, int],
    void: npt.ArrayLike | None = None,
    crs: Any = None,
    transform: Any = None,
) -> Path:
    """Write the observation geometry of an image: eleven bands, 64 bit, interleaved by pixel.

    Parameters
    ----------
    path : str or pathlib.Path
        The data file, such as ``ang20220224t210144_rdn_v2aa1_obs_ort``.
    angles : dict of str to float
        ``view_azimuth``, ``view_zenith``, ``sun_azimuth``, ``sun_zenith``, degrees, of the centre of the image; they
        change by 0.001 degree per column, so that neighbours differ.
    hour : float
        UTC, decimal hours, of the first row.
    shape : tuple of int
        Rows and columns.
    void : array_like of bool, shape (y, x), optional
        Pixels outside the flight line, -9999 in all bands.
    crs, transform : optional
        As of the image.

    Returns
    -------
    pathlib.Path
        The data file.
    """
    path = Path(path)
    column = np.arange(shape[1], dtype=np.float64) - shape[1] // 2
    values = np.zeros((*shape, len(OBSERVED)))
    values[..., 0] = 8123.5
    for place, name in ((1, "view_azimuth"), (2, "view_zenith"), (3, "sun_azimuth"), (4, "sun_zenith")):
        values[..., place] = angles[name] + 0.001 * column
    values[..., 6] = 90.0  # a slope from the vertical, as AVIRIS-3 delivers it: whoever uses it goes wrong
    values[..., 9] = hour
    values[..., 10] = 0.99
    if void is not None:
        values[np.asarray(void, bool)] = -9999.0
    path.write_bytes(values.astype("<f8").tobytes())
    lines = ["ENVI", f"samples = {shape[1]}", f"lines = {shape[0]}", f"bands = {len(OBSERVED)}", "header offset = 0"]
    lines += ["file type = ENVI Standard", "data type = 5", "interleave = bip", "byte order = 0"]
    lines += ["band names = {", ",\n ".join(OBSERVED) + "}", *_placed(crs, transform)]
    path.with_name(path.name + ".hdr").write_text("\n".join(lines) + "\n")
    return path


def _pixels(
    path: Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int],
    factor: np.ndarray,
    dtype: str,
    interleave: str,
    void: float,
) -> None:
    row = 0
    with path.open("wb") as file:
        for block in blocks:
            if block.shape[0] != len(factor) or block.shape[2] != shape[1] or row + block.shape[1] > shape[0]:
                raise ConfigError(
                    f"a block of shape {block.shape} at row {row} does not fit",
                    f"({len(factor)}, rows, {shape[1]}), {shape[0]} rows in all",
                )
            values = np.moveaxis(np.asarray(block), 0, 1 if interleave == "bil" else 2)
            if dtype[1:] == "f4":
                stored = values.astype(dtype)
            else:
                times = factor[:, None] if interleave == "bil" else factor
                stored = np.where(np.isnan(values), void, np.rint(values * times)).astype(dtype)
            if dtype[1:] == "f4" and not math.isnan(void):
                stored[np.isnan(stored)] = void
            file.write(stored.tobytes())
            row += block.shape[1]
    if row != shape[0]:
        raise ConfigError(f"{row} rows were given", f"{shape[0]} rows")


def _listed(key: str, values: np.ndarray) -> str:
    return f"{key} = {{\n  " + ",\n  ".join(f"{value:.6f}" for value in values) + "}"


def _placed(crs: Any, transform: Any) -> list[str]:
    """Return ``map info``: the upper left corner of the first pixel, and how far the rows are turned."""
    if transform is None:
        return []
    side, turn = math.hypot(transform.d, transform.e), math.degrees(math.atan2(transform.d, -transform.e))
    zone = ""
    if crs is not None:
        from rasterio.crs import CRS

        code = CRS.from_user_input(crs).to_epsg() or 0
        if code // 100 not in (326, 327):
            raise ConfigError(f"EPSG:{code}", "UTM on WGS 84")
        zone = f", {code % 100}, {'North' if code // 100 == 326 else 'South'}, WGS-84, units=Meters"
    place = f"{transform.c!r}, {transform.f!r}, {side!r}, {side!r}{zone}"
    return [f"map info = {{UTM, 1, 1, {place}{f', rotation={turn!r}' if turn else ''}}}"]
