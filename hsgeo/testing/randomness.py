"""Global random generators, held in a known state while a stage is called, and watched."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

__all__ = ["global_random", "steady"]


T = TypeVar("T")


@dataclass
class _Randomness:
    seed: int = 20
    touched: list[str] = field(default_factory=list)


_randomness: ContextVar[_Randomness | None] = ContextVar("randomness", default=None)


@contextmanager
def global_random(seed: int) -> Iterator[list[str]]:
    """Let stages find the global generators seeded with ``seed``; yields a list of those that a stage has used."""
    watch = _Randomness(seed)
    token = _randomness.set(watch)
    try:
        yield watch.touched
    finally:
        _randomness.reset(token)


def steady(call: Callable[[], T]) -> T:
    """Call with the global generators in a known state, so that only the law of seeds sees a hidden use of them."""
    watch = _randomness.get() or _Randomness()
    torch: Any = sys.modules.get("torch")  # watched where a stage has loaded it; never loaded here
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None
    random.seed(watch.seed)
    np.random.seed(watch.seed)
    if torch:
        torch.manual_seed(watch.seed)
    before = random.getstate(), _numpy_state(), torch.get_rng_state() if torch else None
    try:
        result = call()
        used = {
            "random": random.getstate() != before[0],
            "numpy.random": _numpy_state() != before[1],
            "torch": bool(torch) and not torch.equal(torch.get_rng_state(), before[2]),
        }
        watch.touched.extend(name for name, hit in used.items() if hit and name not in watch.touched)
        return result
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        if torch:
            torch.set_rng_state(kept[2])


def _numpy_state() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state(legacy=True)
    return (name, np.asarray(keys).tobytes(), *rest)
