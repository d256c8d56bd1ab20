"""The laws of readers, on a file that the test makes."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoError
from hsgeo.plugin import Reader, ReaderRecord
from hsgeo.plugin.registry import Registry, registry
from hsgeo.testing.laws import Law, always, assert_light, assert_options, same_bits

__all__ = ["READER_LAWS", "ReaderCase"]

THREADS = 8
TRANSLATED = (HsgeoError, OSError, RuntimeError, EOFError, KeyError, ValueError)  # the core makes SceneErrors of these


class ReaderCase:
    """A reader and a file of its kind, made once in a temporary folder.

    Parameters
    ----------
    name : str
        Of the reader.
    make_file : callable
        ``make_file(folder) -> path`` writes one small file of the reader's kind.
    options : mapping, optional
        Options of the reader.
    files : sequence of str
        One-file plugins to load first.
    """

    def __init__(
        self,
        name: str,
        make_file: Callable[[Path], Path],
        *,
        options: Mapping[str, Any] | None = None,
        files: tuple[str, ...] = (),
    ) -> None:
        self.name, self.make_file, self.files = name, make_file, files
        self.values = dict(options or {})

    @property
    def registry(self) -> Registry:
        """The registry of the process with the case's files."""
        return registry(self.files)

    @property
    def record(self) -> ReaderRecord:
        """The reader's record."""
        return self.registry.reader(self.name)

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory()  # gone with the case

    @cached_property
    def path(self) -> Path:
        """The file."""
        folder = Path(self._folder.name) / "own"
        folder.mkdir(exist_ok=True)
        return Path(self.make_file(folder))

    @cached_property
    def spare(self) -> Path:
        """A folder for files that the laws make."""
        folder = Path(self._folder.name) / "spare"
        folder.mkdir()
        return folder

    def reader(self) -> Reader:
        """Make a fresh reader."""
        reader: Reader = self.registry.load(self.record)()
        return reader

    def open(self, path: Path | None = None, chunks: Mapping[Any, int] | None = None) -> xr.Dataset:
        """Open the file, or another, with the case's options."""
        return self.reader().open(path or self.path, options=self.values or None, chunks=chunks)

    @cached_property
    def loaded(self) -> xr.Dataset:
        """The whole scene in memory."""
        return self.open().load()


def imports_light(case: ReaderCase) -> None:
    """Check that importing the plugin's module loads none of the heavy packages."""
    assert_light(case.registry.provider(case.record).module, case.files, f"reader {case.name!r}")


def options_round_trip(case: ReaderCase) -> None:
    """Check that options are frozen, forbid extras, are described, and survive JSON and YAML."""
    assert_options(case.registry.options(case.record), case.values, f"reader {case.name!r}")


def score_never_raises(case: ReaderCase) -> None:
    """Check that the reader knows its own file, whose name fits its patterns, and says 0 to what is no scene."""
    name = case.path.name
    patterns = case.record.patterns
    assert any(fnmatch.fnmatch(name.lower(), p.lower()) for p in patterns), f"{name} fits none of {patterns}"
    own = case.reader().score(case.path)
    assert own in (1, 2), f"score() of its own file is {own!r}"
    suffix = "".join(case.path.suffixes)
    empty, noise, text, folder = (case.spare / f"{stem}{suffix}" for stem in ("empty", "noise", "text", "folder"))
    empty.write_bytes(b"")
    noise.write_bytes(np.random.default_rng(0).bytes(4096))
    text.write_text("this is no scene\n")
    folder.mkdir(exist_ok=True)
    for path in (empty, noise, text, folder, case.spare / f"missing{suffix}"):
        score = case.reader().score(path)
        assert score in (0, 1, 2), f"score() is {score!r} for {path.name}"
    for path in (case.spare / "missing.nothing", case.spare):
        assert case.reader().score(path) == 0, f"score() claims {path.name}, which is no scene"


def scene_keeps_the_convention(case: ReaderCase) -> None:
    """Check that what is opened is a scene: names, dims, dtypes, sorted bands, units."""
    from hsgeo.scene import check_scene

    scene = case.open()
    check_scene(scene)
    assert scene["spectra"].dtype == np.float32, f"spectra are {scene['spectra'].dtype}"
    wavelength = scene["wavelength"].values
    assert (np.diff(wavelength) >= 0).all(), "bands are not sorted by wavelength"
    nearest = scene.sel(wavelength=float(wavelength[len(wavelength) // 2]) + 0.01, method="nearest")
    assert nearest["wavelength"].values == wavelength[len(wavelength) // 2], "wavelength is not indexed"


def opening_is_lazy(case: ReaderCase) -> None:
    """Check that opening reads no pixels."""
    scene = case.open()
    for name in ("spectra", "quality"):
        if name in scene:
            assert not scene[name].variable._in_memory, f"opening reads {name!r} into memory"
            assert scene[name].chunks is None, f"{name!r} is on dask although chunks=None"


def window_equals_whole(case: ReaderCase) -> None:
    """Check that windows, strides, single pixels and picked bands read the values that the whole scene has."""
    sizes = case.loaded["spectra"].sizes
    cuts: tuple[dict[str, Any], ...] = (
        {"y": slice(1, max(2, sizes["y"] // 2)), "x": slice(0, max(1, sizes["x"] // 3))},
        {"y": slice(None, None, 3), "x": slice(None, None, -2)},
        {"y": -1, "x": 0},
        {"band": [sizes["band"] - 1, 0], "y": slice(0, 2)},
        {"y": slice(0, 0)},
    )
    for cut in cuts:
        read, want = case.open()["spectra"].isel(cut), case.loaded["spectra"].isel(cut)
        assert same_bits(read.values, want.values), f"reading {cut} gives other values than the whole scene"


def chunked_equals_plain(case: ReaderCase) -> None:
    """Check that dask chunks hold the same values."""
    scene = case.open(chunks={"y": 5, "x": 7})
    assert scene["spectra"].chunks is not None, "chunks were asked for and not made"
    for name in case.loaded.data_vars:
        if case.loaded[name].dims[-2:] == ("y", "x"):
            assert same_bits(scene[name].values, case.loaded[name].values), f"{name!r} differs when chunked"


def scene_pickles(case: ReaderCase) -> None:
    """Check that an opened scene goes to another process unread."""
    data = pickle.dumps(case.open())
    back = pickle.loads(data)  # noqa: S301  made one line above
    assert same_bits(back["spectra"].values, case.loaded["spectra"].values), "the pickled scene reads other values"


def threads_read_alike(case: ReaderCase) -> None:
    """Check that eight threads read one scene at once, each its own rows."""
    scene, want = case.open()["spectra"], case.loaded["spectra"].values
    rows = [k % scene.sizes["y"] for k in range(4 * THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        read = list(pool.map(lambda row: scene[:, row].values, rows))
    for row, values in zip(rows, read, strict=True):
        assert same_bits(values, want[:, row]), f"row {row} reads other values among {THREADS} threads"


def no_handle_stays_open(case: ReaderCase) -> None:
    """Check that no handle of the file stays open (seen on Linux only)."""
    scene = case.open()
    scene["spectra"].isel(y=0).load()
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        return
    held = [os.readlink(link) for link in handles.iterdir() if link.is_symlink() and link.exists()]
    mine = [target for target in held if target.startswith(str(case.path.resolve()))]
    assert not mine, f"{mine[0]} stays open"


def file_is_untouched(case: ReaderCase) -> None:
    """Check that reading changes no byte of the input and leaves no file beside it."""
    folder = case.path.parent
    before = _digests(folder)
    case.open().load()
    after = _digests(folder)
    assert set(after) == set(before), f"reading leaves {sorted(set(after) ^ set(before))[0]} beside the input"
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"reading changes {changed[0]}"


def damage_is_an_error(case: ReaderCase) -> None:
    """Check that a file cut short is an error, not a scene with invented values."""
    if case.path.is_dir():
        return
    for path in case.path.parent.iterdir():  # side files, such as a header, stay whole
        if path.is_file():
            (case.spare / path.name).write_bytes(path.read_bytes())
    data = case.path.read_bytes()
    cut = case.spare / case.path.name
    cut.write_bytes(data[: int(0.6 * len(data))])
    try:
        scene = case.open(cut)
    except Exception:  # of any kind: hsgeo.open_scene makes one clear error of it
        return
    try:
        scene.load()
    except TRANSLATED:
        return
    raise AssertionError("a file cut to 60 % of its length is read without an error")


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


READER_LAWS: tuple[Law, ...] = tuple(
    Law(check.__name__, check, always)
    for check in (
        imports_light,
        options_round_trip,
        score_never_raises,
        scene_keeps_the_convention,
        opening_is_lazy,
        window_equals_whole,
        chunked_equals_plain,
        scene_pickles,
        threads_read_alike,
        no_handle_stays_open,
        file_is_untouched,
        damage_is_an_error,
    )
)
