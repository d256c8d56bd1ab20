"""Archives as deliveries are: the files of a synthetic product below a folder of its name."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["folder_for"]


@contextmanager
def folder_for(path: Path, name: str) -> Iterator[Path]:
    """Give a folder to write a product into; pack it where the path asks for an archive.

    Parameters
    ----------
    path : pathlib.Path
        A folder, or a name that ends with ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
    name : str
        Of the folder inside the archive.

    Yields
    ------
    pathlib.Path
        It exists.
    """
    match = re.search(r"\.(zip|tar|tar\.gz|tgz)$", path.name.lower())
    if match is None:
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    try:
        yield folder
        files = sorted(folder.iterdir())
        if match[1] == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for file in files:
                    archive.write(file, f"{name}/{file.name}")
        else:
            with tarfile.open(path, "w") if match[1] == "tar" else tarfile.open(path, "w:gz", compresslevel=1) as tar:
                for file in files:
                    tar.add(file, f"{name}/{file.name}")
    finally:
        shutil.rmtree(folder)
