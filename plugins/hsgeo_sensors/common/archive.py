"""A granule as it was delivered: inside a zip. Looked at without trust, unpacked once."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from hsgeo.errors import SceneError
from hsgeo_sensors.common.cache import unpacked

__all__ = ["LARGEST", "Granule", "granule", "leads_out"]

LARGEST = 16 * 2**30
"""Bytes; the largest PRISMA L2D granules are near 2 GiB."""


@dataclass(frozen=True)
class Granule:
    """Where the HDF5 file of a granule is: itself, or a member of a zip.

    Parameters
    ----------
    path : pathlib.Path
        The ``.he5`` or the ``.zip``.
    member : str or None
        Name inside the zip.
    size : int
        Bytes of the member.
    """

    path: Path
    member: str | None = None
    size: int = 0

    @property
    def stem(self) -> str:
        """Name of the HDF5 file without its suffix."""
        return PurePosixPath(self.member).stem if self.member else self.path.stem

    def file(self) -> Path:
        """Return the plain HDF5 file, unpacking it where that was not done yet (see `hsgeo_sensors.common.cache`)."""
        if self.member is None:
            return self.path
        return unpacked(self.path, self.member, self.size, self._stream, suffix=".he5")

    def _stream(self) -> IO[bytes]:
        archive = zipfile.ZipFile(self.path)
        try:
            return archive.open(cast("str", self.member))  # keeps the archive's file open until it is closed
        finally:
            archive.close()


def leads_out(name: str) -> bool:
    """Tell whether a member's name leads out of the folder it would be unpacked to.

    Parameters
    ----------
    name : str
        As the archive has it, with slashes of either kind.

    Returns
    -------
    bool
        True for absolute paths, drive letters and anything with ``..``.
    """
    name = name.replace("\\", "/")
    return name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name) is not None


def granule(path: Path) -> Granule:
    """Find the one HDF5 file of a granule.

    Parameters
    ----------
    path : pathlib.Path
        A ``.he5`` file, or a zip with exactly one.

    Returns
    -------
    Granule
        Not unpacked yet.

    Raises
    ------
    SceneError
        If the zip is broken, holds no ``.he5`` or several, is encrypted, announces an absurd size, or any of its
        members would leave the folder it is unpacked to.
    """
    if path.suffix.lower() != ".zip":
        return Granule(path)
    wanted = "a zip with exactly one .he5 file, as delivered"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise SceneError(f"{path} is cut short or damaged: {error}", wanted, "Download or copy it again") from error
    for member in members:
        if leads_out(member.filename):
            raise SceneError(
                f"{path} holds {member.filename!r}, a path that leads out of the folder it is unpacked to",
                wanted,
                "Do not trust this file; download it again from its provider",
            )
    inside = [m for m in members if m.filename.lower().endswith(".he5") and not m.filename.startswith("__MACOSX/")]
    if len(inside) != 1:
        found = ", ".join(m.filename for m in inside[:5]) or "none"
        raise SceneError(
            f"{path} holds {len(inside)} .he5 files ({found})", wanted, "Unpack it and open the file you want"
        )
    if inside[0].flag_bits & 1:
        raise SceneError(f"{path} is encrypted", wanted, "Unpack it with its password and open the .he5")
    if inside[0].file_size > LARGEST:
        raise SceneError(
            f"{path} announces {inside[0].file_size} bytes for {inside[0].filename}",
            f"at most {LARGEST} bytes",
            "If you trust it, unpack it yourself and open the .he5",
        )
    return Granule(path, inside[0].filename, inside[0].file_size)
