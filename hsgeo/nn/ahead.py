"""Batches made ahead of time, in one thread and in order, while the device computes."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

__all__ = ["Ahead"]

_POLL = 0.1  # seconds after which a full queue asks whether it is still wanted


class Ahead:
    """Makes items ahead of their use. One thread only: two would let the order decide what is random.

    Parameters
    ----------
    make : callable
        ``make(step)``; what it raises is raised by `take`.
    start : int
        First step.
    depth : int
        Items held ready: two hide the making, more only take memory.
    """

    def __init__(self, make: Callable[[int], Any], *, start: int, depth: int = 2) -> None:
        self._make = make
        self._ready: Queue[tuple[Any, BaseException | None]] = Queue(maxsize=depth)
        self._stop = Event()
        self._thread = Thread(target=self._run, args=(start,), name="hsgeo-batches", daemon=True)
        self._thread.start()

    def _run(self, step: int) -> None:
        while not self._stop.is_set():
            error: BaseException | None = None
            item = None
            try:
                item = self._make(step)
            except BaseException as found:
                error = found
            while not self._stop.is_set():
                try:
                    self._ready.put((item, error), timeout=_POLL)
                    break
                except Full:
                    continue
            if error is not None:
                return
            step += 1

    def take(self) -> Any:
        """Return the next item.

        Returns
        -------
        object
            What ``make`` returned for the next step.
        """
        item, error = self._ready.get()
        if error is not None:
            raise error
        return item

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        while True:  # frees a place, so that the thread sees the flag at once
            try:
                self._ready.get_nowait()
            except Empty:
                break
        self._thread.join()
