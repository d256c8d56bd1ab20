"""Arrays of a NumPy ``.npz``: mapped where they lie; packed ones from a copy that is unpacked once. Never a pickle."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.cache import unpacked

__all__ = ["NpzFile"]

LOCAL = 30  # bytes of a zip's local file header before the name


class _Member(NamedTuple):
    """Where an array is: in the archive when ``start`` is not None, and behind ``skip`` bytes of its own header."""

    name: str
    size: int
    start: int | None
    skip: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool


class NpzFile:
    """An archive of arrays.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    SceneError
        If it is damaged.
    """

    suffix = ".npz"
    reversed = False
    by_python = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, _Member] = {}
        self.pickled: list[str] = []
        try:
            with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
                for info in archive.infolist():
                    if info.filename.endswith(".npy") and not info.flag_bits & 1:
                        self._look(archive, info, raw)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise SceneError(
                f"{path} is not a readable .npz: {type(error).__name__}: {error}",
                "a complete archive written by numpy.savez",
                "Copy it again, or save it anew",
            ) from error
        self.variables = {n: (m.shape, m.dtype) for n, m in self.members.items() if m.dtype.kind in "iufb"}

    def _look(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, raw: IO[bytes]) -> None:
        """Read the header of one array."""
        name = info.filename[: -len(".npy")]
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(stream)  # refuses headers of absurd length, and evaluates literals only
            skip = stream.tell()
        if dtype.hasobject:
            self.pickled.append(name)
            return
        if info.file_size != skip + dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"{info.filename} has {info.file_size} bytes, not what its shape {shape} asks for")
        start = None
        if info.compress_type == zipfile.ZIP_STORED:
            raw.seek(info.header_offset)
            local = raw.read(LOCAL)
            start = info.header_offset + LOCAL + int.from_bytes(local[26:28], "little")
            start += int.from_bytes(local[28:30], "little")
            if start + info.file_size > self.path.stat().st_size:
                raise ValueError(f"{info.filename} ends beyond the file")
        self.members[name] = _Member(info.filename, info.file_size, start, skip, shape, dtype, fortran)

    def __repr__(self) -> str:
        return f"NpzFile({self.path})"  # goes into dask's tokens

    def small(self, name: str) -> np.ndarray:
        """Return an array of few numbers."""
        with zipfile.ZipFile(self.path) as archive, archive.open(self.members[name].name) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[np.ndarray]:
        """Map an array; what is compressed is unpacked once into the cache folder."""
        member = self.members[name]
        if member.start is not None:
            where, start = self.path, member.start
        else:
            where = unpacked(self.path, member.name, member.size, lambda: self._stream(member.name), suffix=".npy")
            start = 0
        order: Any = "F" if member.fortran else "C"
        yield np.memmap(where, member.dtype, "r", start + member.skip, member.shape, order)

    def _stream(self, name: str) -> IO[bytes]:
        return zipfile.ZipFile(self.path).open(name)
