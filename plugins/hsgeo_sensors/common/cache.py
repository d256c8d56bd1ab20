"""Packed files unpacked once: for formats that must be read at random places but are delivered compressed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from hsgeo.errors import SceneError

__all__ = ["cache_folder", "unpacked"]

KEEP_DAYS = 14.0
"""Unpacked files not opened for this long are deleted when another one is unpacked; they can always be made again."""


def cache_folder() -> Path:
    """Return the folder for unpacked files: ``$HSGEO_CACHE``, else ``hsgeo`` in the user's cache folder.

    Returns
    -------
    pathlib.Path
        It exists and can be written.
    """
    base = os.environ.get("HSGEO_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hsgeo"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    for folder in (Path(base),) if base else (home, Path(tempfile.gettempdir()) / f"hsgeo-{user}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise SceneError(
        "there is no folder that can be written for unpacked files", "a folder named by HSGEO_CACHE", "Set HSGEO_CACHE"
    )


def unpacked(source: Path, member: str, size: int, opener: Callable[[], IO[bytes]], *, suffix: str) -> Path:
    """Return a plain copy of something packed, made on the first call and kept.

    The copy is named after the path, size and time of its source, so that a changed source is unpacked anew. It is
    written beside its final name and moved there in one step: other processes see all of it or nothing.

    Parameters
    ----------
    source : pathlib.Path
        The packed file.
    member : str
        What of it; never used as a path.
    size : int
        Bytes that must come out, no more and no fewer.
    opener : callable
        Opens the stream of plain bytes.
    suffix : str
        Of the copy's name.

    Returns
    -------
    pathlib.Path
        The plain copy.

    Raises
    ------
    SceneError
        If the stream is broken, shorter or longer than ``size``, or the disk is too small.
    """
    status = source.stat()
    identity = f"{source.resolve()}|{status.st_size}|{status.st_mtime_ns}|{member}|{size}"
    folder = cache_folder()
    target = folder / (hashlib.sha256(identity.encode()).hexdigest()[:32] + suffix)
    if target.is_file() and target.stat().st_size == size:
        with contextlib.suppress(OSError):
            os.utime(target)
        return target
    _tidy(folder)
    if shutil.disk_usage(folder).free < size:
        raise SceneError(
            f"{source} unpacks to {size} bytes, and {folder} has not that much room",
            "enough free disk",
            "Point HSGEO_CACHE at a larger disk, or unpack the file yourself and open what comes out",
        )
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out, opener() as stream:
            left = size
            while left > 0 and (block := stream.read(min(left, 1 << 22))):
                out.write(block)
                left -= len(block)
            if left or stream.read(1):
                raise SceneError(
                    f"{source} unpacks to {'fewer' if left else 'more'} bytes than the {size} it announces",
                    "a complete file",
                    "Download or copy it again",
                )
        os.replace(temporary, target)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise SceneError(
            f"{source} cannot be unpacked into {folder}: {error}", "a complete file", "Download or copy it again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # there only if something went wrong
    return target


def _tidy(folder: Path) -> None:
    """Delete what nobody opened for a while, leftovers of killed runs too."""
    oldest = time.time() - KEEP_DAYS * 86400
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
