"""Open any scene: ask the readers, take the surest, and say clearly what is wrong when none fits."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from hsgeo.errors import HsgeoError, HsgeoWarning, PluginError, SceneError
from hsgeo.plugin.protocols import Reader
from hsgeo.plugin.records import ReaderRecord

__all__ = ["TILE", "find_reader", "open_scene"]

TILE = 256
"""Rows and columns of the dask chunks that ``chunks="auto"`` makes; all bands stay together, as unmixing needs them."""

_LARGEST = 4  # times `TILE` squared, a few hundred MB: larger blocks are cut, because memory is short sooner than time

Chunks = Mapping[Hashable, int] | Literal["auto"] | None


def open_scene(
    path: str | Path,
    *,
    reader: str | None = None,
    options: Mapping[str, Any] | None = None,
    chunks: Chunks = "auto",
) -> xr.Dataset:
    """Open a scene lazily, whatever its format.

    Parameters
    ----------
    path : str or pathlib.Path
        A file, or the folder of a Zarr store.
    reader : str, optional
        Name of the reader; None: the one that knows the file best.
    options : mapping, optional
        Of the reader; ``hsgeo show READER`` lists them.
    chunks : mapping, "auto" or None
        ``"auto"``: dask chunks of all bands and about 256 x 256 pixels, made of whole blocks where the reader says in
        what blocks the file is stored. None: no dask, lazy arrays that read exactly what is indexed.

    Returns
    -------
    xarray.Dataset
        A scene: ``spectra (band, y, x)`` float32, NaN where invalid, bands sorted by wavelength (see `check_scene`).

    Raises
    ------
    SceneError
        If the path is missing or empty, no reader accepts it, or it is damaged.
    PluginError
        If two readers claim it equally, or the named reader is not there.
    ConfigError
        If an option is wrong.
    """
    path = Path(path).expanduser()
    _check_there(path)
    name, opener = find_reader(path, reader=reader)
    try:
        scene = opener.open(path, options=options, chunks=None)
    except (HsgeoError, HsgeoWarning, MemoryError):
        raise
    except Exception as error:  # whatever h5py, rasterio, zarr or a stranger's reader raises: one kind of message
        said = " ".join(str(error).split()) or "no message"
        raise SceneError(
            f"reader {name!r} could not open {path}: {type(error).__name__}: {said}",
            "a complete, undamaged file of its format",
            "Copy or download it again; `hsgeo list readers` shows what else --reader can name",
        ) from error
    scene.encoding["source"] = str(Path(path).absolute())  # a product is rerun from another folder, too
    if chunks is None:
        return scene
    sides = _sides(scene) if isinstance(chunks, str) else dict(chunks)
    return scene.chunk({dim: side for dim, side in sides.items() if dim in scene.dims})


def _sides(scene: xr.Dataset) -> dict[str, int]:
    """Choose sides of chunks, about `TILE`, that cut no block of the file: it would be inflated again for each part."""
    blocks = scene["spectra"].encoding.get("preferred_chunks", {})
    stored = {dim: blocks.get(dim, 1) for dim in ("y", "x")}  # a tuple of sizes where they differ, in some Zarr stores
    unit = {dim: 1 if isinstance(n, tuple) else min(int(n), scene.sizes[dim]) for dim, n in stored.items()}
    sides = {"band": -1, "y": TILE, "x": TILE}
    if unit["y"] * unit["x"] <= _LARGEST * TILE**2:
        long, short = ("y", "x") if unit["y"] > unit["x"] else ("x", "y")
        sides[long] = unit[long] * max(1, round(TILE / unit[long]))
        sides[short] = unit[short] * max(1, round(TILE**2 / sides[long] / unit[short]))
    return sides


def find_reader(path: str | Path, *, reader: str | None = None) -> tuple[str, Reader]:
    """Choose the reader of a path by score.

    Parameters
    ----------
    path : str or pathlib.Path
        An existing file or folder.
    reader : str, optional
        A name that decides.

    Returns
    -------
    tuple of (str, Reader)
        The name and an instance.

    Raises
    ------
    SceneError
        If every reader says no.
    PluginError
        If the two best say the same, the name is unknown, or the named reader cannot be loaded.
    """
    from hsgeo.plugin.registry import registry

    path, records = Path(path), registry().readers
    if reader is not None:
        return reader, registry().load(registry().reader(reader))()
    scored, broken = _scores(path, records)
    if not scored:
        raise _unclaimed(path, records, broken)
    best = max(score for score, _, _ in scored)
    winners = [(name, candidate) for score, name, candidate in scored if score == best]
    if len(winners) > 1:
        names = " and ".join(repr(name) for name, _ in winners)
        raise PluginError(
            f"readers {names} claim {path} equally",
            "one reader that knows the file best",
            f"Choose with --reader {winners[0][0]} (or reader={winners[0][0]!r})",
        )
    return winners[0]


def _scores(path: Path, records: Mapping[str, ReaderRecord]) -> tuple[list[tuple[int, str, Reader]], list[str]]:
    """Ask the readers: score, name and instance of those that know the path, and what is broken."""
    from hsgeo.plugin.registry import registry

    scored: list[tuple[int, str, Reader]] = []
    broken = []
    for name, record in records.items():
        if not _asked(record, path):
            continue
        try:
            candidate: Reader = registry().load(record)()
        except PluginError as error:  # one broken reader must not hide the others
            broken.append(f"reader {name!r} is broken ({error.found})")
            continue
        if (score := int(candidate.score(path))) > 0:
            scored.append((score, name, candidate))
    return scored, broken


def _asked(record: ReaderRecord, path: Path) -> bool:
    return any(fnmatch(path.name.lower(), pattern.lower()) for pattern in record.patterns)


def _check_there(path: Path) -> None:
    if not path.exists():
        near = difflib.get_close_matches(path.name, _names(path.parent), n=1)
        raise SceneError(
            f"{path} does not exist" + (f"; {near[0]!r} does" if near else ""), "an existing file or Zarr store"
        )
    if path.is_file():
        try:
            with path.open("rb") as file:
                first = file.read(1)
        except OSError as error:
            raise SceneError(
                f"{path} cannot be read: {error}", "a file you may read", "Check its permissions"
            ) from error
        if not first:
            raise SceneError(f"{path} is empty", "a complete scene", "Copy or download it again")


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


_PACKED = (".zip", ".tar", ".tar.gz", ".tgz")
_SURE = 2  # the score of a reader that knows the product, not only the format
_LISTED = 5  # a granule of EMIT with all its companions
_ENTRIES = 64  # of a folder that are looked at: in a folder of thousands nobody meant one of them


def _unclaimed(path: Path, records: Mapping[str, ReaderRecord], broken: list[str]) -> SceneError:
    from hsgeo.plugin.registry import registry

    what = "a folder that no reader knows as a scene" if path.is_dir() else "not a scene that any reader knows"
    do = _inside(path, records) if path.is_dir() else "If you know its format, name it with --reader"
    if path.is_file() and path.name.lower().endswith(_PACKED):
        do = f"If it is a product as delivered, it may be incomplete: download it again. {do}"
    broken = [*broken, *registry().trouble()]
    if broken:
        do += "; " + "; ".join(broken)
    accepted = f"one of {len(records)} formats: `hsgeo list readers` shows what can be read"
    return SceneError(f"{path} is {what}", accepted if records else "nothing: no reader is installed", do)


def _inside(folder: Path, records: Mapping[str, ReaderRecord]) -> str:
    """Say which file of a folder to give, where a reader is sure of it."""
    names = sorted(name for name in _names(folder) if not name.startswith("."))
    known = []
    for name in names if len(names) <= _ENTRIES else []:
        entry = folder / name
        if entry.is_file() and max((score for score, _, _ in _scores(entry, records)[0]), default=0) >= _SURE:
            known.append(entry)
    if not known:
        return "Give the file inside it"
    if len(known) == 1:
        return f"Give {known[0]}"
    if len(known) <= _LISTED:
        return f"Give one of the files inside it: {', '.join(entry.name for entry in known)}"
    return f"Give one of the {len(known)} files inside it that readers know, such as {known[0].name}"
