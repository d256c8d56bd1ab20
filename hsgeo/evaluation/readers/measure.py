"""Write a file of full size for each product, look at it, open it, read it, all in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError, HsgeoError
from hsgeo.evaluation.readers.child import yardsticks_of
from hsgeo.plugin.registry import registry

__all__ = ["LIMITS", "measure", "products"]

LIMITS = {"info_mb": 300.0, "open_mb": 400.0, "speed": 0.5}
"""Largest peaks of memory, and smallest speed of a window beside the plain way."""


def products(readers: Sequence[str] = (), *, plugins: Sequence[Path] = ()) -> list[tuple[str, str]]:
    """List what can be measured.

    Parameters
    ----------
    readers : sequence of str
        Names of readers; none: all that have yardsticks.
    plugins : sequence of path
        One-file plugins.

    Returns
    -------
    list of tuple of str
        Reader and product.

    Raises
    ------
    ConfigError
        If a reader that was named has none.
    """
    known = registry(tuple(plugins))
    files = tuple(str(p) for p in plugins)
    out = []
    for name in readers or sorted(known.readers):
        found = yardsticks_of(known.reader(name).name, files)
        if readers and not found:
            able = [n for n, record in known.readers.items() if record.yardsticks]
            raise ConfigError(f"the reader {name!r} has no yardsticks", "a reader that has: " + ", ".join(sorted(able)))
        out += [(name, product) for product in found]
    return out


def measure(
    wanted: Sequence[tuple[str, str]],
    *,
    folder: Path | None = None,
    longest: int | None = None,
    tiles: int = 8,
    repeat: int = 3,
    threads: int = 8,
    reads: int = 200,
    plugins: Sequence[Path] = (),
    tell: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure readers, one product after the other.

    Parameters
    ----------
    wanted : sequence of tuple of str
        From `products`.
    folder : pathlib.Path, optional
        Where the files are made, one at a time; None: the folder for temporary files. A few GB are needed.
    longest : int, optional
        Rows and columns at most, for a trial; None: as large as real ones.
    tiles, repeat : int
        Windows of 128 x 128 pixels and all bands, and turns of each.
    threads, reads : int
        Threads, and small windows that each reads.
    plugins : sequence of path
        One-file plugins.
    tell : callable, optional
        Told what is being measured.

    Returns
    -------
    list of dict
        One for each product: ``reader``, ``product``, ``rows``, ``cols``, ``bands``, ``size_mb`` of the file,
        ``info_mb`` and ``info_s`` of ``hsgeo info``, ``open_mb`` and ``open_s``, ``tile_ms`` and ``plain_ms`` of a
        window (medians), ``speed`` (plain over hsgeo, median of the windows) and ``speed_worst``, ``thread_reads`` and
        ``thread_wrong``.

    Raises
    ------
    HsgeoError
        If a process fails, with what it said.
    """
    rows = []
    files = tuple(str(p) for p in plugins)
    for reader, product in wanted:
        full = yardsticks_of(reader, files)[product].shape
        shape = [min(n, longest or n) for n in full]
        task: dict[str, Any] = {"reader": reader, "product": product, "plugins": files}
        with tempfile.TemporaryDirectory(dir=folder, prefix="hsgeo-yardstick-") as place:
            _tell(tell, f"{product}: writing")
            written, _ = _child(task | {"do": "write", "folder": place, "shape": shape})
            task["path"] = written["path"]
            _tell(tell, f"{product}: hsgeo info")
            looked, info_mb = _run(["hsgeo", "info", task["path"], "--json"])
            del looked
            opened, open_mb = _child(task | {"do": "open"})
            _tell(tell, f"{product}: tiles")
            read, _ = _child(task | {"do": "tiles", "tiles": tiles, "repeat": repeat})
            _tell(tell, f"{product}: {threads} threads")
            shared, _ = _child(task | {"do": "threads", "threads": threads, "reads": reads})
            size = sum(p.stat().st_size for p in Path(place).rglob("*") if p.is_file())
        sizes = opened.pop("sizes")
        rows.append(
            {"reader": reader, "product": product, "rows": sizes["y"], "cols": sizes["x"], "bands": sizes["band"]}
            | {"size_mb": size / 1e6, "info_mb": info_mb, "open_mb": open_mb, "open_s": opened["open_s"]}
            | read
            | shared
        )
    return rows


def _tell(tell: Callable[[str], None] | None, what: str) -> None:
    if tell is not None:
        tell(what)


def _child(task: dict[str, Any]) -> tuple[dict[str, Any], float]:
    said, peak = _run(["hsgeo.evaluation.readers.child", json.dumps(task)])
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found, peak


# A process tells its own peak: what the parent is told counts the memory that the child shared before it began.
_WATCHED = """
import atexit, runpy, sys
def tell():
    try:
        with open("/proc/self/status") as file:
            kilobytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except OSError:
        import resource
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024)
    sys.stderr.write(f"\\n{kilobytes}")
atexit.register(tell)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def _run(command: list[str]) -> tuple[str, float]:
    """Run a module in a process of its own; return what it printed and its peak of memory, MB."""
    done = subprocess.run(  # noqa: S603  this interpreter and hsgeo
        [sys.executable, "-c", _WATCHED, *command], capture_output=True, text=True, check=False
    )
    said, _, peak = done.stderr.rpartition("\n")
    if done.returncode:
        raise HsgeoError(
            f"a process of the measurement ended with {done.returncode}: {said.strip()[-2000:]}",
            "a reader that opens what its yardstick writes",
            f"Run it by hand: {sys.executable} -m {' '.join(command)}",
        )
    return done.stdout, float(peak) * 1024 / 1e6
