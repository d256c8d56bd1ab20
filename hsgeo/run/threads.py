"""Inner threads pinned to one, so that BLAS gives the same bits on every machine load and worker count."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["pinned"]

_lock = threading.Lock()
_users = 0
_limits: Any = None


@contextmanager
def pinned() -> Iterator[None]:
    """Hold the process's BLAS and OpenMP pools at one thread while any caller is inside."""
    global _users, _limits  # the pools are global to the process, so is the count of their users
    from threadpoolctl import threadpool_limits

    with _lock:
        if _users == 0:
            _limits = threadpool_limits(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limits.restore_original_limits()
                _limits = None
