"""Variables of a MATLAB file: version 4 to 7 through scipy, 7.3 (which is HDF5) through h5py. Nothing is executed.

Older versions can only be loaded whole, variable by variable; the cubes last used are kept, within a bound.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.hdf5 import open_hdf5

__all__ = ["MatFile", "MatFile73", "is_73"]

HDF5 = b"\x89HDF\r\n\x1a\n"
KEEP = 1 << 30  # bytes of loaded cubes kept for each process; a single larger one is kept alone
NUMBERS = {
    "double": "f8", "single": "f4", "logical": "u1", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8",
}  # fmt: skip


def is_73(path: Path) -> bool:
    """Tell version 7.3 from older ones: an HDF5 file behind a block of 512 bytes, or right at the start.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    bool
        True for HDF5.
    """
    with path.open("rb") as file:
        return file.read(8) == HDF5 or (file.seek(512) == 512 and file.read(8) == HDF5)


def _by_python(header: bytes) -> bool:
    """Tell whether Python wrote a file: scipy names the operating system, hdf5storage the interpreter."""
    return any(word in header for word in (b"Platform: posix", b"Platform: nt", b"Platform: CPython"))


class MatFile:
    """A file of version 4 to 7.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    SceneError
        If it is damaged.
    """

    suffix = ".mat"
    reversed = False  # axes are stored as MATLAB counts them

    def __init__(self, path: Path) -> None:
        from scipy.io import whosmat

        self.path = path
        with path.open("rb") as file:
            self.by_python = _by_python(file.read(116))
        with _readable(path):
            _check_complete(path)
            self.variables = {
                name: (tuple(int(n) for n in shape), np.dtype(NUMBERS[kind]))
                for name, shape, kind in whosmat(str(path), appendmat=False)
                if kind in NUMBERS
            }

    def __repr__(self) -> str:
        return f"MatFile({self.path})"  # goes into dask's tokens

    def small(self, name: str) -> np.ndarray:
        """Return a variable of few numbers."""
        with _readable(self.path):
            return _load(self.path, name)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[np.ndarray]:
        """Give a variable, whole, loaded once in this process."""
        status = self.path.stat()
        key = (str(self.path.absolute()), status.st_size, status.st_mtime_ns, name)
        with _lock:  # held while loading: eight threads load it once
            array = _kept.pop(key, None)
            if array is None:
                with _readable(self.path):
                    array = _load(self.path, name)
            _kept[key] = array
            while len(_kept) > 1 and sum(kept.nbytes for kept in _kept.values()) > KEEP:
                _kept.popitem(last=False)
        yield array


class MatFile73:
    """A file of version 7.3, whose axes are in reverse order because HDF5 counts them the other way round.

    Files that others wrote with h5py under the same suffix lack MATLAB's marks; their axes are as they stand.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    SceneError
        If it is damaged.
    """

    suffix = ".mat"

    def __init__(self, path: Path) -> None:
        import h5py

        self.path = path
        with path.open("rb") as head:
            self.by_python = _by_python(head.read(116))
        with _readable(path), open_hdf5(path) as file:
            found = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
            self.reversed = any("MATLAB_class" in item.attrs for item in found.values())
            self.by_python |= not self.reversed
            self.variables = {
                name: (item.shape[::-1] if self.reversed else item.shape, item.dtype)
                for name, item in found.items()
                if item.dtype.kind in "iuf" and "MATLAB_empty" not in item.attrs and not _is_text(item)
            }

    def __repr__(self) -> str:
        return f"MatFile73({self.path})"  # goes into dask's tokens

    def small(self, name: str) -> np.ndarray:
        """Return a variable of few numbers."""
        with _readable(self.path), open_hdf5(self.path) as file:
            array = file[name][()]
        return array.T if self.reversed else array

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """Give the dataset of a variable, axes as stored."""
        with _readable(self.path), open_hdf5(self.path) as file:
            yield file[name]


def _is_text(item: Any) -> bool:
    kind = item.attrs.get("MATLAB_class", b"")
    return (kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)) == "char"


def _check_complete(path: Path) -> None:
    """Raise for a file of version 5 that ends within a variable: scipy lists those before it, and says nothing."""
    with path.open("rb") as file:
        head, size = file.read(128), path.stat().st_size
        if head[:4].find(b"\0") >= 0 or head[126:128] not in (b"IM", b"MI"):  # version 4, or nothing we know
            return
        order, at = "<" if head[126:128] == b"IM" else ">", len(head)
        while at < size:
            file.seek(at)
            tag = file.read(8).ljust(8, b"\0")
            at += 8 + struct.unpack(order + "II", tag)[1]
            if at > size and any(tag):
                raise OSError(f"it ends at byte {size}, within a variable that ends at {at}")


def _load(path: Path, name: str) -> np.ndarray:
    from scipy.io import loadmat

    found = loadmat(str(path), variable_names=[name], appendmat=False)
    array = np.asarray(found[name])
    if array.dtype.kind not in "iufb":
        raise SceneError(f"{path} has a variable {name!r} of {array.dtype}", "real numbers")
    return array


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Make one error of the many that a damaged file causes in scipy and h5py."""
    from scipy.io.matlab import MatReadError

    wrong = (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, NotImplementedError, RuntimeError)
    try:
        yield
    except SceneError:
        raise
    except (*wrong, zlib.error, MatReadError, MemoryError, UnicodeDecodeError) as error:
        raise SceneError(
            f"{path} is not a readable MATLAB file: {type(error).__name__}: {error}",
            "a complete .mat file of version 4 to 7.3",
            "Copy it again, or save it anew",
        ) from error


_kept: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
_lock = threading.Lock()
