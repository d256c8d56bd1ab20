"""A product that consists of several files: in a folder, or packed as it was delivered. Looked at without trust."""

from __future__ import annotations

import itertools
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, cast

from hsgeo.errors import SceneError
from hsgeo_sensors.common.archive import LARGEST, leads_out
from hsgeo_sensors.common.cache import unpacked

__all__ = ["Bundle", "bundle", "is_packed", "peek"]

MOST = 20_000
"""Members; a Hyperion product has some 250 files, and everything else fewer."""
TOTAL = 4 * LARGEST
"""Bytes of all members: what a compressed archive may announce before it is read any further."""
PEEK = 64 * 2**20
"""Bytes of a compressed tar that are unpacked to see what is in it: a fraction of a second."""
PACKED = (".zip", ".tar", ".tar.gz", ".tgz")
_BROKEN = (OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
AGAIN = "Do not trust this file; download it again from its provider"


@dataclass(frozen=True)
class Bundle:
    """The files of a product, by name.

    Parameters
    ----------
    source : pathlib.Path
        The folder or the archive.
    sizes : dict of str to int
        Bytes of each file, by its name inside (with ``/``).
    asked : str or None
        The file the user named, where that is one of them.
    nested : bool
        Whether the archive was in an archive itself; one that is in it, too, is not looked into.
    """

    source: Path
    sizes: dict[str, int]
    asked: str | None = None
    nested: bool = False

    def product(self, pattern: str, *, what: str) -> Bundle:
        """Return the part that belongs to one product: files in one folder whose names begin alike.

        Where there is no product but one archive (products are delivered as a zip in a tar), that is looked into.

        Parameters
        ----------
        pattern : str
            Regular expression for whole base names, without regard to case, with a group ``stem``: the part that all
            files of a product begin with. Names that do not match are not looked at.
        what : str
            The product, for messages.

        Returns
        -------
        Bundle
            Files that begin with the stem.

        Raises
        ------
        SceneError
            If there is no product, or several and the user did not name a file of one.
        """
        found: dict[str, str] = {}
        for name in self.sizes:
            if match := re.fullmatch(pattern, PurePosixPath(name).name, re.IGNORECASE):
                found[str(PurePosixPath(name).parent / match["stem"])] = match["stem"]
        if self.asked is not None:
            asked = str(PurePosixPath(self.asked))
            found = {stem: short for stem, short in found.items() if _belongs(asked, stem)}
        inner = [name for name in self.sizes if is_packed(Path(name))]
        if not found and len(inner) == 1 and not self.nested:
            return replace(bundle(self.path(inner[0])), nested=True).product(pattern, what=what)
        if len(found) != 1:
            several = sorted(found.values()) or [PurePosixPath(name).name for name in inner]
            listed = ", ".join(several[:5]) or "nothing of that kind"
            raise SceneError(
                f"{self.source} holds {len(found)} products" + (f" and {len(inner)} archives" if not found else ""),
                f"exactly one {what}; here are {listed}",
                "Unpack it, and name a file of the one you want" if several else "Check what it is",
            )
        stem = next(iter(found))
        return replace(self, sizes={n: s for n, s in self.sizes.items() if _belongs(n, stem)})

    def find(self, pattern: str) -> str | None:
        """Return the name of the one file whose base name ends like this.

        Parameters
        ----------
        pattern : str
            Regular expression for the end of base names, without regard to case.

        Returns
        -------
        str or None
            The name inside; None where there is no such file.

        Raises
        ------
        SceneError
            If there are several.
        """
        found = [n for n in self.sizes if re.search(f"(?:{pattern})$", PurePosixPath(n).name, re.IGNORECASE)]
        if len(found) > 1:
            listed = ", ".join(PurePosixPath(n).name for n in found[:5])
            raise SceneError(
                f"{self.source} holds {len(found)} files for one purpose: {listed}", "one", "Remove the others"
            )
        return found[0] if found else None

    def path(self, name: str) -> Path:
        """Return a file as a plain path, unpacking it where that was not done yet (see `hsgeo_sensors.common.cache`).

        Parameters
        ----------
        name : str
            As in ``sizes``.

        Returns
        -------
        pathlib.Path
            It can be read at random places, and stays where it is.
        """
        if self.source.is_dir():
            return self.source / name
        return unpacked(self.source, name, self.sizes[name], lambda: self._stream(name), suffix=_suffix(name))

    def read(self, name: str, *, limit: int) -> bytes:
        """Return the bytes of a small file, without a copy in the cache folder.

        Parameters
        ----------
        name : str
            As in ``sizes``.
        limit : int
            Bytes that it may have.

        Returns
        -------
        bytes
            All of it.

        Raises
        ------
        SceneError
            If it is larger, or cannot be read.
        """
        if self.sizes[name] > limit:
            raise SceneError(f"{name} in {self.source} has {self.sizes[name]} bytes", f"at most {limit} bytes", AGAIN)
        if _compressed(self.source):
            return self.path(name).read_bytes()  # whatever is read of it, all of it has to be unpacked
        try:
            with self._stream(name) as stream:
                return stream.read(limit + 1)
        except _BROKEN as error:
            raise _broken(self.source, error) from error

    @contextmanager
    def _stream(self, name: str) -> Iterator[IO[bytes]]:
        if self.source.is_dir():
            with (self.source / name).open("rb") as stream:
                yield stream
        elif self.source.suffix.lower() == ".zip":
            with zipfile.ZipFile(self.source) as archive, archive.open(name) as stream:
                yield stream
        else:
            yield from self._through_tar(name)

    def _through_tar(self, name: str) -> Iterator[IO[bytes]]:
        """Give one member; of a compressed tar, unpack the other files of the product on the way: it is read once."""
        done = set()
        try:
            with tarfile.open(self.source) as archive:
                for member in archive:
                    inside = _clean(member.name)
                    if not member.isreg() or inside not in self.sizes:
                        continue
                    stream = cast("IO[bytes]", archive.extractfile(member))
                    done.add(inside)
                    if inside == name:
                        yield stream
                        if not _compressed(self.source):
                            return
                    elif _compressed(self.source):
                        self._keep(inside, stream)
            if name not in done:
                raise OSError(f"it does not hold {name} any more")
        except tarfile.TarError as error:
            raise OSError(str(error)) from error

    def _keep(self, name: str, stream: IO[bytes]) -> None:
        unpacked(self.source, name, self.sizes[name], lambda: stream, suffix=_suffix(name))


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


def bundle(path: Path) -> Bundle:
    """List the files that may belong to a product.

    Parameters
    ----------
    path : pathlib.Path
        A folder (its files and those one level below), one of the files (all beside it), a zip, tar or gzipped tar.

    Returns
    -------
    Bundle
        Nothing is unpacked yet.

    Raises
    ------
    SceneError
        If an archive is broken, encrypted, announces an absurd number of members or bytes, has a member twice, or any
        member or link would lead out of the folder it is unpacked to.
    """
    path = Path(path).absolute()
    if path.is_dir():
        return Bundle(path, dict(_folder(path, deep=True)))
    if not is_packed(path):
        return Bundle(path.parent, dict(_folder(path.parent, deep=False)), asked=path.name)
    try:
        status = path.stat()
        return Bundle(path, dict(_listing(path, status.st_size, status.st_mtime_ns)))
    except SceneError:  # it is a ValueError too
        raise
    except _BROKEN as error:
        raise _broken(path, error) from error


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
    try:
        if path.is_dir():
            names = [name for name, _ in itertools.islice(_folder(path, deep=True), 2000)]
        elif not is_packed(path):
            names = [path.name] if path.is_file() else []
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()[:MOST]
        else:
            names, limit = [], PEEK if _compressed(path) else TOTAL
            with tarfile.open(path) as tar:
                for member in tar:
                    names.append(member.name)
                    if member.offset_data + member.size > limit:
                        break
    except _BROKEN:
        return ()
    return tuple(PurePosixPath(name).name for name in names if not _clutter(name))


def _folder(path: Path, *, deep: bool) -> Iterator[tuple[str, int]]:
    """Yield names and sizes of the files of a folder, and of those one level below."""
    below = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_file() and not _clutter(entry.name):
                yield entry.name, entry.stat().st_size
            elif deep and entry.is_dir() and not entry.name.startswith("."):
                below.append(entry.name)
    for name in sorted(below):
        try:
            yield from ((f"{name}/{inner}", size) for inner, size in _folder(path / name, deep=False))
        except OSError:  # not ours to read: then it is not the product either
            continue


@lru_cache(maxsize=16)
def _listing(path: Path, size: int, changed: int) -> tuple[tuple[str, int], ...]:
    """Return names and sizes of the members of an archive; ``size`` and ``changed`` tell one state from another."""
    found: dict[str, int] = {}
    total = 0
    for name, length, target in _members(path):
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


def _members(path: Path) -> Iterator[tuple[str, int, str | None]]:
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
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isreg():
                yield _clean(member.name), member.size, None
            elif member.issym() or member.islnk():
                yield _clean(member.name), 0, member.linkname
            elif leads_out(member.name) or not member.isdir():
                raise SceneError(f"{path} holds {member.name!r}, no plain file", "an archive as delivered", AGAIN)


def _belongs(name: str, stem: str) -> bool:
    """Tell whether a file's name begins with a stem and not with a longer one."""
    name = str(PurePosixPath(name))
    return name.startswith(stem) and not name[len(stem) : len(stem) + 1].isalnum()


def _clean(name: str) -> str:
    return str(PurePosixPath(name))  # without a leading ./


def _suffix(name: str) -> str:
    return next((kind for kind in (".tar.gz", ".tgz") if name.lower().endswith(kind)), PurePosixPath(name).suffix)


def _clutter(name: str) -> bool:
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith(".")


def _compressed(path: Path) -> bool:
    return path.name.lower().endswith((".tar.gz", ".tgz"))


def _broken(path: Path, error: Exception) -> SceneError:
    return SceneError(f"{path} is not a readable archive: {error}", "a complete one", "Download or copy it again")
