"""The metadata file of an EO-1 product (``_MTL_L1T.TXT``): groups of ``KEY = VALUE`` lines that end with ``END``."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np

from hsgeo.errors import SceneError

__all__ = ["LARGEST", "Mtl", "look_to_zenith", "parse_mtl"]

LARGEST = 2**20
"""Bytes; the metadata of a product with 242 bands are near 20 KiB."""

EARTH, ALTITUDE = 6371.0, 705.0
"""Kilometres: mean radius of the Earth and nominal altitude of EO-1. 20 km less, as late in the mission, turn a look
angle of 20 degrees into a zenith angle that is 0.07 degrees smaller."""


class Mtl:
    """What a metadata file says.

    Parameters
    ----------
    values : dict of str to tuple of str
        The values of each key, whatever groups it stands in.
    name : str
        The file, for messages.
    """

    def __init__(self, values: dict[str, tuple[str, ...]], name: str) -> None:
        self.values, self.name = values, name

    def text(self, key: str) -> str | None:
        """Return the value of a key.

        Parameters
        ----------
        key : str
            Upper case.

        Returns
        -------
        str or None
            None where the file has no such key.

        Raises
        ------
        SceneError
            If it stands there twice with different values.
        """
        found = self.values.get(key, ())
        if len(set(found)) > 1:
            raise SceneError(f"{self.name} says {key} = {' and '.join(found[:3])}", "one value", "Download it again")
        return found[0] if found else None

    def optional(self, key: str) -> float:
        """Return a number; NaN where the file does not have it (``UNAVAILABLE`` occurs).

        Parameters
        ----------
        key : str
            Upper case.

        Returns
        -------
        float
            The number, or NaN.
        """
        try:
            return float(self.text(key) or "nan")
        except ValueError:
            return float("nan")

    def number(self, key: str) -> float:
        """Return a number that must be there.

        Parameters
        ----------
        key : str
            Upper case.

        Returns
        -------
        float
            Finite.

        Raises
        ------
        SceneError
            If it is missing or no finite number.
        """
        value = self.optional(key)
        if not np.isfinite(value):
            said = self.text(key)
            raise SceneError(
                f"{self.name} " + (f"lacks {key}" if said is None else f"says {key} = {said[:40]}"),
                f"a number for {key}",
                "Download the product again",
            )
        return value

    def time(self) -> str | None:
        """Return the start of the acquisition, ISO 8601: ``START_TIME`` (year, day of the year, clock), else the day.

        Returns
        -------
        str or None
            None where neither is said.
        """
        for pattern in ("%Y %j %H:%M:%S.%f", "%Y %j %H:%M:%S"):
            try:
                return datetime.strptime((self.text("START_TIME") or "").rstrip("Z"), pattern).isoformat()
            except ValueError:
                continue
        return self.text("ACQUISITION_DATE")


def parse_mtl(data: bytes, *, name: str) -> Mtl:
    """Read a metadata file.

    Parameters
    ----------
    data : bytes
        All of it.
    name : str
        For messages.

    Returns
    -------
    Mtl
        Its keys and values, quotes taken off.

    Raises
    ------
    SceneError
        If it is no such file, or ends before its ``END``.
    """
    values: dict[str, tuple[str, ...]] = {}
    depth, ended = 0, False
    for line in data.decode("ascii", "replace").splitlines():
        if line.strip() == "END":
            ended = True
            break
        match = re.fullmatch(r"\s*(\w+)\s*=\s*(.*?)\s*", line)
        if match is None:
            continue
        key, value = match[1].upper(), match[2].strip('"').strip()
        if key in ("GROUP", "END_GROUP"):
            depth += 1 if key == "GROUP" else -1
        else:
            values[key] = (*values.get(key, ()), value)
    if not ended or depth or not values:
        raise SceneError(
            f"{name} " + ("ends before its END" if values else "holds no KEY = VALUE lines"),
            "the metadata file of an EO-1 product, complete",
            "Download the product again",
        )
    return Mtl(values, name)


def look_to_zenith(look: float) -> float:
    """Turn the look angle at the satellite into the view zenith angle on the ground, on a sphere.

    Parameters
    ----------
    look : float
        Degrees between nadir and the scene's centre, of either sign.

    Returns
    -------
    float
        Degrees from the vertical, at least 0: ``sin(zenith) = (R + h) / R sin(look)``. NaN where the line misses the
        Earth or the angle is not known.
    """
    sine = (EARTH + ALTITUDE) / EARTH * np.sin(np.deg2rad(abs(look)))
    return float(np.rad2deg(np.arcsin(sine))) if sine <= 1 else float("nan")
