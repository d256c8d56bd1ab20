"""Measure how well endmembers are counted, and write the table of hits and misses into docs/benchmarks/counting.md.

Run it as ``HSGEO_DATA=... python tests/tools/write_counting.py``; the scenes without public data need no folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hsgeo_classical.counting.auto import count_endmembers
from hsgeo_classical.counting.hysime import hysime
from hsgeo_classical.counting.nwhfc import nwhfc

from hsgeo.synthetic import MATERIALS, AbundanceField, reflectance

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "counting.md"
MARK = "<!-- measured: python tests/tools/write_counting.py -->"
COUNTS, LEVELS, SEEDS = range(3, 13), (40, 30, 25, 20, 15), range(3)
SIDE = 100  # pixels
BANDS = np.arange(400.0, 2501.0, 10.0)  # nm
REAL = {"samson": 3, "jasper_ridge": 4, "misicnet_sim1": 6, "dc1": 5}

Count = Callable[[np.ndarray], int]


def auto(Y: np.ndarray) -> int:
    """Count as ``count: auto`` does, pixels ``(bands, pixels)``."""
    norm = np.linalg.norm(Y, axis=0)
    return count_endmembers(Y, Y / np.maximum(norm, np.finfo(np.float32).tiny))


def methods() -> dict[str, Count]:
    """Name the methods; each takes pixels ``(bands, pixels)``."""
    found: dict[str, Count] = {
        "hysime": lambda Y: hysime(Y.T).count,
        "nwhfc": lambda Y: nwhfc(Y.T).count,
        "auto": auto,
    }
    if importlib.util.find_spec("hsgeo_classical.counting.stability"):
        by_stability = importlib.import_module("hsgeo_classical.counting.stability").count_by_stability
        found["stability"] = lambda Y: int(by_stability(Y))
    return found


def spectra(count: int) -> np.ndarray:
    """Give ``count`` spectra ``(bands, count)``: the ten materials, then two intimate mixtures of them."""
    E = reflectance(MATERIALS, BANDS, np.full(BANDS.size, 10.0))
    name = MATERIALS.index
    # geometric means: absorption multiplies, so they are no linear mixture of the others
    more = [np.sqrt(E[:, name(a)] * E[:, name(b)]) for a, b in (("soil", "calcite"), ("green-vegetation", "concrete"))]
    return np.column_stack([E, *more])[:, :count]


def synthetic(count: int, snr_db: float, seed: int) -> np.ndarray:
    """Make a linear scene ``(bands, pixels)`` float32 with white noise."""
    A = AbundanceField(SIDE, SIDE, count, seed=seed).rows(0, SIDE).reshape(count, -1).astype(float)
    return noisy(spectra(count) @ A, snr_db, seed)


def noisy(Y: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    """Add white noise of variance ``mean(Y^2) * 10^(-snr_db / 10)``."""
    std = np.sqrt(np.mean(Y**2)) * 10 ** (-snr_db / 20)
    return (Y + std * np.random.default_rng([seed, 1]).standard_normal(Y.shape)).astype(np.float32)


def real(folder: Path, name: str) -> np.ndarray:
    """Read a public scene as ``(bands, pixels)``."""
    with np.load(folder / "unmixing" / f"{name}.npz") as cube:
        image = cube["image"].astype(float) / (float(cube["scale"]) if "scale" in cube.files else 1.0)
    return image.reshape(-1, image.shape[-1]).T


def synthetic_tables(ways: dict[str, Count]) -> list[str]:
    """Count in every synthetic scene; hits first, then what was found."""
    found: dict[tuple[str, int, int], list[int]] = {}
    for level in LEVELS:
        for count in COUNTS:
            for seed in SEEDS:
                Y = synthetic(count, level, seed)
                for name, way in ways.items():
                    found.setdefault((name, level, count), []).append(way(Y))
    total = len(COUNTS) * len(SEEDS)
    lines = [f"Hits of {total} scenes each (within one in brackets):", ""]
    lines += [f"| | {' | '.join(f'{level} dB' for level in LEVELS)} |", "|---" * (len(LEVELS) + 1) + "|"]
    for name in ways:
        cells = []
        for level in LEVELS:
            off = [abs(n - count) for count in COUNTS for n in found[name, level, count]]
            cells.append(f"{sum(o == 0 for o in off)} ({sum(o <= 1 for o in off)})")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    for name in ways:
        lines += ["", f"`{name}`: what was found, by the true number (columns)", ""]
        lines += [f"| | {' | '.join(map(str, COUNTS))} |", "|---" * (len(COUNTS) + 1) + "|"]
        for level in LEVELS:
            cells = [" ".join(map(str, found[name, level, count])) for count in COUNTS]
            lines.append(f"| {level} dB | {' | '.join(cells)} |")
    return lines


def real_table(ways: dict[str, Count], folder: Path) -> list[str]:
    """Count in the public scenes as they are, and with noise added."""
    lines = ["| scene | endmembers of its truth | noise | " + " | ".join(f"`{name}`" for name in ways) + " |"]
    lines.append("|---" * (len(ways) + 3) + "|")
    for name, count in REAL.items():
        Y = real(folder, name)
        for level in (None, 30, 20):
            data = Y.astype(np.float32) if level is None else noisy(Y, level, 0)
            cells = " | ".join(str(way(data)) for way in ways.values())
            lines.append(f"| {name} | {count} | {'as it is' if level is None else f'{level} dB'} | {cells} |")
    return lines


def main() -> None:
    """Replace what stands after the mark."""
    ways = methods()
    lines = ["## Synthetic scenes", "", *synthetic_tables(ways)]
    place = os.environ.get("HSGEO_DATA")
    if place:
        lines += ["", "## Public scenes", "", *real_table(ways, Path(place))]
    head = PAGE.read_text(encoding="utf-8").split(MARK)[0]
    PAGE.write_text(f"{head}{MARK}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
