"""Band centres and widths: what the user gives for a file that has none, and the unit of what a file says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hsgeo.errors import ConfigError, SceneError
from hsgeo_sensors.config import RawOptions

__all__ = ["given_bands", "nanometre_factor", "no_wavelengths"]

NAMELESS = ("", "unknown", "none")
MICRO = 100.0  # no sensor of ours sees below 100 nm or above 100 micrometres


def given_bands(options: RawOptions, bands: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the centres and widths of the options, nanometres; None where not given.

    Parameters
    ----------
    options : RawOptions
        Numbers, or the path of a CSV file with a column ``wavelength`` and maybe ``fwhm``.
    bands : int
        Bands in the file.

    Returns
    -------
    tuple of (numpy.ndarray, shape (band,), or None)
        Centres and widths.

    Raises
    ------
    ConfigError
        If their number is wrong, or the CSV file cannot be used.
    """
    centres: np.ndarray | None = None
    widths = None if options.fwhm is None else np.array(options.fwhm)
    if isinstance(options.wavelengths, Path):
        table = _table(options.wavelengths)
        centres = table["wavelength"]
        widths = table.get("fwhm") if widths is None else widths
    elif options.wavelengths is not None:
        centres = np.array(options.wavelengths)
    for what, values in (("wavelengths", centres), ("fwhm", widths)):
        if values is not None and len(values) != bands:
            raise ConfigError(f"the reader option {what} has {len(values)} values for {bands} bands", f"{bands} values")
        if values is not None and not (
            np.isfinite(values).all() and (values > (100 if what == "wavelengths" else 0)).all()
        ):
            raise ConfigError(f"the reader option {what} has values that are not nanometres", "positive nanometres")
    return centres, widths


def no_wavelengths(name: str, bands: int) -> SceneError:
    """Make the error for a file that does not say its wavelengths.

    Parameters
    ----------
    name : str
        The file.
    bands : int
        Bands in it.

    Returns
    -------
    SceneError
        To be raised.
    """
    return SceneError(
        f"{name} has {bands} band{'s' * (bands != 1)} and no wavelengths",
        "a file that says the wavelength of each band",
        "If it is a spectral scene, give them with the reader option wavelengths=... (numbers in nm or a CSV file)",
    )


def nanometre_factor(centres: np.ndarray, units: str | None, *, name: str) -> float:
    """Return what makes wavelengths nanometres; where the unit is missing, centres below 100 are micrometres.

    Parameters
    ----------
    centres : numpy.ndarray, shape (band,)
        Band centres as stored.
    units : str or None
        As the file says it.
    name : str
        The file, for messages.

    Returns
    -------
    float
        1 or 1000; good for widths too.

    Raises
    ------
    SceneError
        If the unit is something else than nanometres or micrometres.
    """
    said = (units or "").strip().lower()
    if said in NAMELESS:
        largest = np.nanmax(centres) if np.isfinite(centres).any() else 0.0
        return 1e3 if largest < MICRO else 1.0
    if said.startswith(("nm", "nano")):
        return 1.0
    if said.startswith(("um", "µm", "μm", "micro")):
        return 1e3
    raise SceneError(
        f"{name} has wavelengths in {units!r}",
        "nanometres or micrometres",
        "Give them with the reader option wavelengths, in nm",
    )


def _table(path: Path) -> dict[str, np.ndarray]:
    accepted = "a CSV file with a column 'wavelength' (and maybe 'fwhm'), nm"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        columns = {name.strip().lower(): name for name in (rows[0] if rows else {})}
        table = {
            key: np.array([float(row[columns[key]]) for row in rows])
            for key in ("wavelength", "fwhm")
            if key in columns
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"wavelengths cannot be read from {path}: {error}", accepted) from error
    if "wavelength" not in table:
        raise ConfigError(f"{path} has the columns {list(columns)}", accepted)
    return table
