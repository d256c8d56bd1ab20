"""A product that consists of several files: in a folder, or packed as it was delivered. Looked at without trust."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, cast

from hsgeo.errors import SceneError
from hsgeo_sensors.common.cache import unpacked
from hsgeo_sensors.common.listing import AGAIN, BROKEN, DEEP, broken, clean, files_in, is_compressed, is_packed, members

__all__ = ["Bundle", "bundle"]


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
    levels : int
        Of folders below the given one that were listed.
    """

    source: Path
    sizes: dict[str, int]
    asked: str | None = None
    nested: bool = False
    levels: int = DEEP

    def product(self, pattern: str, *, what: str) -> Bundle:
        """Return the part that belongs to one product: files in one folder whose names begin alike.

        Where there is no product but one archive (products are delivered as a zip in a tar), that is looked into. In a
        folder that has neither, they are looked for further down.

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
        found = set()
        for name in self.sizes:
            if match := re.fullmatch(pattern, PurePosixPath(name).name, re.IGNORECASE):
                found.add(str(PurePosixPath(name).parent / match["stem"]))
        if self.asked is not None:
            asked = str(PurePosixPath(self.asked))
            found = {stem for stem in found if _belongs(asked, stem)}
        inner = [name for name in self.sizes if is_packed(Path(name))]
        if not found and not inner and self.levels < DEEP:
            further = dict(files_in(self.source, levels=DEEP))
            return replace(self, sizes=further, levels=DEEP).product(pattern, what=what)
        if not found and len(inner) == 1 and not self.nested:
            return self._inner(inner[0]).product(pattern, what=what)
        if len(found) != 1:
            several = sorted(found) or inner
            short = [PurePosixPath(name).name for name in several]
            several = short if len(set(short)) == len(short) else several  # the same one twice: then it is told where
            listed = ", ".join(several[:5]) or "nothing of that kind"
            raise SceneError(
                f"{self.source} holds {len(found)} products" + (f" and {len(inner)} archives" if not found else ""),
                f"exactly one {what}; here are {listed}",
                "Unpack it, and name a file of the one you want" if several else "Check what it is",
            )
        stem = next(iter(found))
        return replace(self, sizes={n: s for n, s in self.sizes.items() if _belongs(n, stem)})

    def _inner(self, name: str) -> Bundle:
        try:
            return replace(bundle(self.path(name)), nested=not self.source.is_dir())
        except SceneError as error:  # it names the unpacked copy
            raise SceneError(
                f"{name} in {self.source} cannot be used: {error.found}", error.accepted, error.do
            ) from error

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
        if is_compressed(self.source):
            return self.path(name).read_bytes()  # whatever is read of it, all of it has to be unpacked
        try:
            with self._stream(name) as stream:
                return stream.read(limit + 1)
        except BROKEN as error:
            raise broken(self.source, error) from error

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
                    inside = clean(member.name)
                    if not member.isreg() or inside not in self.sizes:
                        continue
                    stream = cast("IO[bytes]", archive.extractfile(member))
                    done.add(inside)
                    if inside == name:
                        yield stream
                        if not is_compressed(self.source):
                            return
                    elif is_compressed(self.source):
                        self._keep(inside, stream)
            if name not in done:
                raise OSError(f"it does not hold {name} any more")
        except tarfile.TarError as error:
            raise OSError(str(error)) from error

    def _keep(self, name: str, stream: IO[bytes]) -> None:
        unpacked(self.source, name, self.sizes[name], lambda: stream, suffix=_suffix(name))


def bundle(path: Path) -> Bundle:
    """List the files that may belong to a product.

    Parameters
    ----------
    path : pathlib.Path
        A folder (its files and those one level below; `Bundle.product` looks further), one of the files (all beside
        it), a zip, tar or gzipped tar.

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
        return Bundle(path, dict(files_in(path, levels=1)), levels=1)
    if not is_packed(path):
        return Bundle(path.parent, dict(files_in(path.parent, levels=0)), asked=path.name)
    try:
        status = path.stat()
        return Bundle(path, dict(members(path, status.st_size, status.st_mtime_ns)))
    except SceneError:  # it is a ValueError too
        raise
    except BROKEN as error:
        raise broken(path, error) from error


def _belongs(name: str, stem: str) -> bool:
    """Tell whether a file's name begins with a stem and not with a longer one."""
    name = str(PurePosixPath(name))
    return name.startswith(stem) and not name[len(stem) : len(stem) + 1].isalnum()


def _suffix(name: str) -> str:
    return next((kind for kind in (".tar.gz", ".tgz") if name.lower().endswith(kind)), PurePosixPath(name).suffix)
