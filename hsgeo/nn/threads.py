"""torch on one thread per worker: dask brings the parallelism, and the bits do not depend on the machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread"]

_lock = threading.Lock()
_users = 0
_before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch at one thread on the CPU while any caller is inside; the caller's own setting comes back after.

    Yields
    ------
    None
    """
    global _users, _before  # torch's setting is global to the process, so is the count of its users
    import torch

    with _lock:
        if _users == 0:
            _before = torch.get_num_threads()
        _users += 1
        torch.set_num_threads(1)  # by every user: OpenMP keeps the number per thread
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                torch.set_num_threads(_before)
