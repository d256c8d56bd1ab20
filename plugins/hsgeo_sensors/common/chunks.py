"""A Zarr store whose chunks are whole: Blosc, which Zarr uses unless asked otherwise, does not look at their length."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

__all__ = ["whole_chunks"]

LENGTH = slice(12, 16)
"""Where a Blosc chunk says how many bytes it has, its header included."""


def whole_chunks(path: Path) -> Any:
    """Return a folder as a Zarr store that refuses chunks with fewer bytes than they announce.

    Blosc decodes a chunk that was cut short from whatever lies behind it in memory, and says nothing.

    Parameters
    ----------
    path : pathlib.Path
        Folder of the store.

    Returns
    -------
    zarr.storage.LocalStore
        For reading; it can be pickled. Reading a chunk that was cut short raises OSError.
    """
    return _kind()(path, read_only=True)


@functools.cache
def _kind() -> type:
    """Make the class on its first use: zarr is too slow to import before it is needed."""
    from zarr.storage import LocalStore

    class WholeChunks(LocalStore):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.blosc: dict[str, bool] = {}

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            return self._checked(key, await super().get(key, prototype, byte_range), byte_range)

        def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:  # of later zarr
            return self._checked(key, super().get_sync(key, prototype=prototype, byte_range=byte_range), byte_range)

        def _checked(self, key: str, found: Any, wanted: Any) -> Any:
            folder, _, name = key.rpartition("/")
            if found is None or name == "zarr.json" or name.startswith(".z"):
                return found
            said = 0
            if hasattr(wanted, "start") and hasattr(wanted, "end"):  # part of a shard
                said = wanted.end - wanted.start
            elif wanted is None:
                if folder not in self.blosc:
                    self.blosc[folder] = _is_blosc(self.root / folder, self.root)
                if self.blosc[folder]:
                    head = found.as_numpy_array()[: LENGTH.stop].tobytes()
                    said = max(LENGTH.stop, int.from_bytes(head[LENGTH], "little"))
            if len(found) < said:
                raise OSError(f"{key} has {len(found)} bytes, and {said} were written")
            return found

        def __reduce__(self) -> Any:  # the class has no name that a pickle could find
            return whole_chunks, (self.root,)

    return WholeChunks


def _is_blosc(folder: Path, root: Path) -> bool:
    """Tell whether the chunks in a folder are Blosc's: the metadata of their array stand there or further up."""
    for place in (folder, *folder.parents):
        for name in (".zarray", "zarr.json"):
            try:
                about = json.loads((place / name).read_bytes())
            except (OSError, ValueError):
                continue
            last = about["codecs"][-1].get("name") if about.get("codecs") else (about.get("compressor") or {}).get("id")
            return str(last).endswith("blosc")
        if place == root:
            break
    return False
