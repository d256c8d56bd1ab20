"""What the names of AVIRIS files say: instrument, granule, product, time; and which files belong together."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hsgeo.errors import SceneError
from hsgeo_sensors.envi.header import find_pair

__all__ = ["AvirisName", "companion", "cubes_in", "data_file", "said_by", "same_granule"]

GRANULES = {
    "AVIRIS-Classic": re.compile(r"f(?P<date>\d{6})t\d{2}p\d{2}_?r\d{2}", re.IGNORECASE),
    "AVIRIS-NG": re.compile(r"ang(?P<date>\d{8})t(?P<clock>\d{6})(?:_\d{3}(?![0-9a-z]))?", re.IGNORECASE),
    "AVIRIS-3": re.compile(r"av3(?P<date>\d{8})t(?P<clock>\d{6})(?:_\d{3}(?![0-9a-z]))?", re.IGNORECASE),
    "AVIRIS-5": re.compile(r"av5(?P<date>\d{8})t(?P<clock>\d{6})(?:_\d{3}(?![0-9a-z]))?", re.IGNORECASE),
}
FIRST_YEAR = 87  # AVIRIS flew from 1987; smaller two-digit years are of this century

AUXILIARY = {
    "obs": "observation geometry",
    "glt": "a lookup table",
    "igm": "pixel positions",
    "loc": "pixel positions",
    "unc": "an uncertainty",
    "atm": "the atmospheric state",
    "h2o": "water absorption",
    "state": "the retrieved state",
    "bandmask": "a band mask",
    "mask": "a mask",
    "lbl": "segment labels",
    "ql": "a quicklook",
}
CUBES = {
    "rfl": "reflectance",
    "refl": "reflectance",
    "reflectance": "reflectance",
    "rdn": "radiance",
    "rad": "radiance",
    "radiance": "radiance",
}
CORRECTED = "corr"  # in names of JPL's reflectance; where the name says radiance too, something else was corrected
SCENE = re.compile(r"sc\d\d")  # the parts of a flight line of AVIRIS Classic, delivered as radiance
LIKELY = re.compile(r"(f\d{6}t|ang\d{8}t|av[35]\d{8}t).*\.(hdr|nc)$", re.IGNORECASE)  # before a name is taken apart
UNPACKED = (".tar", ".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class AvirisName:
    """A name taken apart.

    Parameters
    ----------
    sensor : str
        ``"AVIRIS-Classic"``, ``"AVIRIS-NG"``, ``"AVIRIS-3"`` or ``"AVIRIS-5"``.
    granule : str
        Such as ``ang20220224t210144``; with the segment number where there is one.
    quantity : str or None
        ``"reflectance"`` or ``"radiance"``; None: the name does not say.
    auxiliary : str or None
        What a file that is no cube holds.
    date, clock : str
        Digits of the acquisition: ``yyyymmdd``, and ``hhmmss`` (UTC) or an empty text where only the day is known.
    scene : bool
        Whether it names one of the scenes of an AVIRIS Classic flight line (``sc02``), which are delivered as radiance.
    """

    sensor: str
    granule: str
    quantity: str | None
    auxiliary: str | None
    date: str
    clock: str
    scene: bool = False

    @classmethod
    def of(cls, name: str) -> AvirisName | None:
        """Take a file or folder name apart; None when it is not an AVIRIS name."""
        for sensor, pattern in GRANULES.items():
            found = pattern.match(name)
            if found is None:
                continue
            rest = name[found.end() :]
            words = _words(rest)
            date = found["date"]
            if len(date) == 6:
                date = ("19" if int(date[:2]) >= FIRST_YEAR else "20") + date
            return cls(
                sensor,
                found[0],
                said_by(rest) or ("reflectance" if CORRECTED in words else None),
                next((AUXILIARY[word] for word in words if word in AUXILIARY), None),
                date,
                found.groupdict().get("clock") or "",
                any(SCENE.fullmatch(word) for word in words),
            )
        return None

    @property
    def time(self) -> str:
        """ISO 8601; only the day for AVIRIS Classic."""
        day = f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}"
        c = self.clock
        return f"{day}T{c[:2]}:{c[2:4]}:{c[4:]}" if c else day


def said_by(text: str) -> str | None:
    """Return the quantity that a name states.

    Parameters
    ----------
    text : str
        A file name, or what is left of it.

    Returns
    -------
    str or None
        ``"reflectance"``, whose name may have the words of both; ``"radiance"``; None: no word of either.
    """
    said = {CUBES[word] for word in _words(text) if word in CUBES}
    return next((kind for kind in ("reflectance", "radiance") if kind in said), None)


def data_file(path: Path) -> Path:
    """Find the cube that a path means.

    Parameters
    ----------
    path : pathlib.Path
        A file, which is returned as it is, or the folder of a delivered granule.

    Returns
    -------
    pathlib.Path
        The file to read.

    Raises
    ------
    SceneError
        If a folder holds no cube, or several; or the path is an archive or a file that is no cube.
    """
    if path.is_dir():
        cubes = cubes_in(path)
        if len(cubes) != 1:
            listed = ", ".join(p.name for p in cubes[:4]) or "none"
            raise SceneError(
                f"{path} holds {len(cubes)} AVIRIS cubes ({listed})",
                "a folder with one reflectance or radiance cube",
                "Name the file",
            )
        return cubes[0]
    if path.name.lower().endswith(UNPACKED):
        raise SceneError(
            f"{path} is a packed AVIRIS granule",
            "the unpacked image: flight lines have 10 to 30 GB and cannot be read inside an archive",
            "Unpack it and name the image or its folder",
        )
    name = AvirisName.of(path.name)
    if name is not None and name.auxiliary is not None:
        near = ", ".join(p.name for p in cubes_in(path.parent) if name.granule in p.name)
        raise SceneError(
            f"{path} holds {name.auxiliary} of {name.granule}, not spectra",
            "a radiance or reflectance cube of the granule",
            f"Open {near}" if near else "Get the radiance or reflectance image of this granule",
        )
    return path


def companion(path: Path, key: str, *patterns: str, said: Path | None = None) -> Path | None:
    """Find the file that belongs to a cube: beside it, else in folders of the same granule beside its folder.

    Reflectance and radiance of AVIRIS Classic and NG are delivered in two folders, and only the one of the radiance has
    the observation geometry.

    Parameters
    ----------
    path : pathlib.Path
        The cube.
    key : str
        What the names have in common: the granule.
    *patterns : str
        Shell patterns after the granule, the likeliest first.
    said : pathlib.Path, optional
        The user's; nothing is looked for then.

    Returns
    -------
    pathlib.Path or None
        The file; headers of ENVI files are never returned.

    Raises
    ------
    SceneError
        If the user's file is not there, or is of another granule.
    """
    if said is not None:
        if not said.is_file():
            raise SceneError(f"{said} is not there", "an existing file", "Correct the reader option")
        same_granule(said, key)
        return said
    folders = [path.parent]
    if AvirisName.of(key) is not None:
        folders += sorted(p for p in path.parent.parent.glob(f"{key}*") if p.is_dir() and p != path.parent)
    for folder in folders:
        for pattern in patterns:
            hits = sorted(p for p in folder.glob(f"{key}{pattern}") if p.suffix.lower() != ".hdr" and p.is_file())
            if hits:  # versions of one granule: the one whose name is most like the cube's
                return max(hits, key=lambda p: (_common(p.name, path.name), p.name))
    return None


def same_granule(path: Path, key: str) -> None:
    """Raise when a name says another granule.

    Parameters
    ----------
    path : pathlib.Path
        A companion.
    key : str
        Granule of the cube.

    Raises
    ------
    SceneError
        If the companion's name has another granule.
    """
    there, here = AvirisName.of(path.name), AvirisName.of(key)
    if there is not None and here is not None and there.granule.lower() != here.granule.lower():
        raise SceneError(f"{path} is of {there.granule}", f"a file of {here.granule}", "Name the one of this granule")


def cubes_in(folder: Path) -> list[Path]:
    """Find the cubes in a folder, by their names.

    Parameters
    ----------
    folder : pathlib.Path
        Of a granule, or any other.

    Returns
    -------
    list of pathlib.Path
        Files of granules that are not auxiliary: those whose names say what they hold, else those that do not say it.
    """
    with os.scandir(folder) as entries:
        likely = sorted(entry.name for entry in entries if LIKELY.match(entry.name))
    stated, others = set(), set()
    for path in (folder / name for name in likely):
        pair = find_pair(path) if path.suffix.lower() == ".hdr" else (path, path)
        name = AvirisName.of(pair[1].name) if pair is not None else None
        if pair is not None and name is not None and name.auxiliary is None and pair[1].is_file():
            (stated if name.quantity or name.scene else others).add(pair[1])
    return sorted(stated or others)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]


def _common(left: str, right: str) -> int:
    return next((k for k, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
