"""Sensors by name: band centres, widths and the bands not to use, from the catalogs that plugins register."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.absorption import default_good

__all__ = ["Sensor", "default_good", "sensor", "sensors"]


@dataclass(frozen=True, eq=False)
class Sensor:
    """What a sensor measures.

    Parameters
    ----------
    name : str
        Lower case, such as ``"prisma"``.
    title : str
        For people.
    source : str
        Where the numbers come from.
    wavelength, fwhm : numpy.ndarray, shape (band,)
        Nanometres, sorted by wavelength.
    good : numpy.ndarray of bool, shape (band,)
        Bands to use where a product says nothing itself.
    detector : numpy.ndarray of str, shape (band,)
        Detector of each band; two detectors may overlap.
    """

    name: str
    title: str
    source: str
    wavelength: np.ndarray = field(repr=False)
    fwhm: np.ndarray = field(repr=False)
    good: np.ndarray = field(repr=False)
    detector: np.ndarray = field(repr=False)

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.wavelength)


def sensors() -> tuple[str, ...]:
    """Return the names of all sensors that the installed catalogs know.

    Returns
    -------
    tuple of str
        Sorted.
    """
    return tuple(sorted(_files()))


def sensor(name: str) -> Sensor:
    """Look a sensor up.

    Parameters
    ----------
    name : str
        Case does not matter.

    Returns
    -------
    Sensor
        Sorted by wavelength.

    Raises
    ------
    ConfigError
        If no catalog has it, or its file is malformed.
    """
    import yaml

    known = _files()
    key = name.strip().lower()
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        raise ConfigError(
            f"there is no sensor {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
            ", ".join(sorted(known)) or "no sensor catalog is installed",
        )
    try:
        return _parse(key, yaml.safe_load(known[key].read_text(encoding="utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the catalog file {known[key]} is malformed: {type(error).__name__}: {error}",
            "title, source and detectors, each with wavelength and fwhm lists of one length, nm",
        ) from error


def _parse(name: str, content: dict[str, Any]) -> Sensor:
    labels, centres, widths = [], [], []
    for label, table in content["detectors"].items():
        pairs = list(zip(table["wavelength"], table["fwhm"], strict=True))
        labels += [str(label)] * len(pairs)
        centres += [float(centre) for centre, _ in pairs]
        widths += [float(width) for _, width in pairs]
    order = np.argsort(centres, kind="stable")
    wavelength = np.array(centres)[order]
    good = default_good(wavelength)
    if "bad" in content:
        good = np.ones(len(wavelength), bool)
        for low, high in content["bad"]:
            good &= (wavelength < float(low)) | (wavelength > float(high))
    return Sensor(
        name,
        str(content["title"]),
        str(content["source"]).strip(),
        wavelength,
        np.array(widths)[order],
        good,
        np.array(labels)[order],
    )


def _files() -> dict[str, Traversable]:
    """Return the catalog files by sensor name; the first catalog that has a name provides it."""
    from hsgeo.plugin.registry import registry

    found: dict[str, Traversable] = {}
    for record in registry().catalogs:
        if record.kind == "sensors":
            for entry in files(record.package).joinpath(record.folder).iterdir():
                if entry.name.endswith(".yaml"):
                    found.setdefault(entry.name.removesuffix(".yaml").lower(), entry)
    return found
