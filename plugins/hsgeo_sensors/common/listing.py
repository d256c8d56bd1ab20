"""The files in a folder or an archive, by name: looked at without trust, and nothing is unpacked."""

from __future__ import annotations

import itertools
import os
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from hsgeo.errors import SceneError
from hsgeo_sensors.common.archive import LARGEST, leads_out

__all__ = ["AGAIN", "BROKEN", "DEEP", "broken", "clean", "files_in", "is_compressed", "is_packed", "members", "peek"]

MOST = 20_000
"""Members; a Hyperion product has some 250 files, and everything else fewer."""
TOTAL = 4 * LARGEST
"""Bytes of all members: what a compressed archive may announce before it is read any further."""
PEEK = 64 * 2**20
"""Bytes of a compressed tar that are unpacked to see what is in it: a fraction of a second."""
DEEP = 4
"""Levels of folders below the one that is given: an order as it was unpacked by hand has three."""
GLANCE = 2000
"""Entries of a folder that are looked at to score it: some milliseconds, with all readers that do."""
FOLDER = 10
"""Entries that it costs as much to begin with a folder as to list: about, and much more where disks are far away."""
PACKED = (".zip", ".tar", ".tar.gz", ".tgz")
BROKEN = (OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
AGAIN = "Do not trust this file; download it again from its provider"


def is_packed(path: Path) -> bool:
    """Tell by its name whether a file is an archive that `bundle` looks into.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    bool
        True for zip, tar and gzipped tar.
    """
    return path.name.lower().endswith(PACKED)


def peek(path: Path) -> tuple[str, ...]:
    """Return some of the names that `bundle` would list, quickly: to score a path by them.

    Parameters
    ----------
    path : pathlib.Path
        Anything.

    Returns
    -------
    tuple of str
        Base names. Of a gzipped tar only the first: all would take as long as unpacking it. Empty for what cannot be
        looked at.
    """
    names: list[str] = []
    try:
        if path.is_dir():
            names += (name for name, _ in itertools.islice(_walk(path, levels=DEEP, most=GLANCE), GLANCE))
        elif not is_packed(path):
            names += [path.name] if path.is_file() else []
        elif path.suffix.lower() == ".zip":
            names += _names_in_zip(path)
        else:
            limit = PEEK if is_compressed(path) else TOTAL
            with tarfile.open(path) as tar:
                for member in tar:
                    names.append(member.name)
                    if member.offset_data + member.size > limit:
                        break
    except BROKEN:
        pass  # names in front of the damage still tell whose it is
    return tuple(_base(name) for name in names if not _clutter(name))


def _names_in_zip(path: Path) -> list[str]:
    """Return the names that a zip lists at its end; where that is cut off, those before its first members."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()[:MOST]
    except zipfile.BadZipFile:
        with path.open("rb") as file:
            parts = file.read(PEEK // 64).split(b"PK\3\4")[1:]
        lengths = [int.from_bytes(part[22:24], "little") for part in parts]  # 30 bytes, less the mark; then the name
        return [part[26 : 26 + n].decode("utf-8", "replace") for part, n in zip(parts, lengths, strict=True)]


def files_in(path: Path, *, levels: int) -> Iterator[tuple[str, int]]:
    """Yield the files of a folder, without clutter.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    levels : int
        How many levels below it count, too. After `MOST` entries no other folder is begun, unless there is at most one.

    Yields
    ------
    tuple of (str, int)
        Name, with ``/``, and bytes.
    """
    for name, entry in _walk(path, levels=levels, most=MOST if levels > 1 else sys.maxsize):
        yield name, entry.stat().st_size


def _walk(path: Path, *, levels: int, most: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield files level by level; once `most` entries were seen, no other folder is begun: each is seen as a whole."""
    seen, folders = 0, [""]
    for level in range(levels + 1):
        below = []
        for folder in folders:
            if seen >= most:
                return
            seen += FOLDER
            try:
                with os.scandir(path / folder) as entries:
                    for entry in entries:
                        seen += 1
                        if entry.is_file():
                            if not _clutter(entry.name):
                                yield folder + entry.name, entry
                        elif (
                            level < levels
                            and not entry.name.startswith(".")
                            and entry.is_dir(follow_symlinks=level == 0)  # further down they may lead in circles
                        ):
                            below.append(f"{folder}{entry.name}/")
            except OSError:  # not ours to read: then it is not the product either
                if not folder:
                    raise
        folders = sorted(below)


@lru_cache(maxsize=16)
def members(path: Path, size: int, changed: int) -> tuple[tuple[str, int], ...]:
    """Return the files in an archive, after a look at all that is in it.

    Parameters
    ----------
    path : pathlib.Path
        The archive.
    size, changed : int
        Bytes, and time of the last change: they tell one state from another.

    Returns
    -------
    tuple of (str, int)
        Name and bytes of each file.

    Raises
    ------
    SceneError
        As `hsgeo_sensors.common.bundle.bundle`, but for damage, which is one of `BROKEN`.
    """
    found: dict[str, int] = {}
    total = 0
    for name, length, target in _raw_members(path):
        for kind, led in (("", name), ("a link to ", target)):
            if led is not None and leads_out(led):
                raise SceneError(
                    f"{path} holds {kind}{led!r}, a path that leads out of the folder it is unpacked to",
                    "an archive as delivered",
                    AGAIN,
                )
        total += length
        if length > LARGEST or total > TOTAL or len(found) >= MOST:
            raise SceneError(
                f"{path} announces {len(found) + 1} members or more, {total} bytes at {name!r}",
                f"at most {MOST} members, {LARGEST} bytes each, {TOTAL} in all",
                "If you trust it, unpack it yourself and open the folder",
            )
        if name in found:
            raise SceneError(f"{path} holds {name!r} twice", "each file once", AGAIN)
        if target is None and not _clutter(name):
            found[name] = length
    return tuple(found.items())


def _raw_members(path: Path) -> Iterator[tuple[str, int, str | None]]:
    """Yield the name, size and, for links, the target of each member that is no folder."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for item in archive.infolist():
                if item.flag_bits & 1:
                    raise SceneError(
                        f"{path} is encrypted", "a plain zip", "Unpack it with its password and open the folder"
                    )
                if not item.is_dir() or leads_out(item.filename):
                    yield item.filename, item.file_size, None
        return
    with tarfile.open(path, tarinfo=_Member) as tar:
        for member in tar:
            if member.isreg():
                yield clean(member.name), member.size, None
            elif member.issym() or member.islnk():
                yield clean(member.name), 0, member.linkname
            elif leads_out(member.name) or not member.isdir():
                raise SceneError(f"{path} holds {member.name!r}, no plain file", "an archive as delivered", AGAIN)


class _Member(tarfile.TarInfo):
    """The header of a member; what is neither that nor the mark at the end is an error, not an end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(f"it has no mark at its end ({error})") from error


def clean(name: str) -> str:
    """Return a member's name as it is used from here on.

    Parameters
    ----------
    name : str
        As the archive has it.

    Returns
    -------
    str
        With ``/`` between its parts.
    """
    return str(PurePosixPath(name))  # without a leading ./


def _clutter(name: str) -> bool:
    return name.startswith("__MACOSX/") or _base(name).startswith(".")


def _base(name: str) -> str:
    """Return the last part: as of a path, without the time that it takes to make one, thousands of times."""
    return name.rstrip("/").rpartition("/")[2]


def is_compressed(path: Path) -> bool:
    """Tell by its name whether all of an archive has to be read to reach its end.

    Parameters
    ----------
    path : pathlib.Path
        Folder or archive.

    Returns
    -------
    bool
        True for a gzipped tar.
    """
    return path.name.lower().endswith((".tar.gz", ".tgz"))


def broken(path: Path, error: Exception) -> SceneError:
    """Make one error of what the libraries say of a damaged archive.

    Parameters
    ----------
    path : pathlib.Path
        The archive.
    error : Exception
        One of `BROKEN`.

    Returns
    -------
    SceneError
        To be raised.
    """
    said = " ".join(str(error).split())
    return SceneError(f"{path} is cut short or damaged: {said}", "a complete archive", "Download or copy it again")
