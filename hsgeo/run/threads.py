"""Inner threads pinned to one, so that BLAS gives the same bits on every machine load and worker count."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["pinned"]

_lock = threading.Lock()
_users = 0
_before: dict[str, tuple[Any, int]] = {}  # libraries whose limit holds for the process, by path: what it was


@contextmanager
def pinned() -> Iterator[None]:
    """Hold BLAS at one thread in the whole process, and OpenMP in this thread, while any caller is inside.

    Yields
    ------
    None
    """
    global _users  # the pools are global to the process, so is the count of their users
    import scipy.linalg  # noqa: F401  brings a BLAS of its own; one that is loaded later would not be held
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().lib_controllers  # anew every time: a stage may have loaded one
    with _lock:
        _users += 1
        own = [(library, library.num_threads) for library in libraries if _holds_for_a_thread(library)]
        for library in libraries:
            if not _holds_for_a_thread(library):
                _before.setdefault(library.filepath, (library, library.num_threads))
        _set([(library, 1) for library in libraries])
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            _set(own)
            if _users == 0:
                _set(list(_before.values()))
                _before.clear()


def _holds_for_a_thread(library: Any) -> bool:
    """Tell whether a library keeps its limit for every calling thread, as OpenMP does."""
    return library.user_api == "openmp" or getattr(library, "threading_layer", "") == "openmp"


def _set(limits: Sequence[tuple[Any, int]]) -> None:
    """Set limits, whoever set one before.

    threadpoolctl from 3.8 on lets one thread at a time limit OpenBLAS and ignores all others in silence. Whoever comes
    first is that thread until it ends: without the calls below a fit in the main thread would leave all workers with
    as many threads as there are cores.
    """
    for library, number in limits:
        forget = getattr(library, "clear_controlling_thread", None)
        if forget is not None:
            forget(force=True)
        library.set_num_threads(number)
        if forget is not None:
            forget(force=True)
