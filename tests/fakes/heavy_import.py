"""A planted liar: its plugin module imports numba."""

from pathlib import Path

import numba

from hsgeo.plugin import StageRecord, hookimpl, scene, tile
from hsgeo.plugin.onefile import load_file

Solve = load_file(Path(__file__).with_name("trial.py"))[0].Solve


@hookimpl
def hsgeo_stages():
    reads, writes = (tile("spectra"), scene("endmembers")), (tile("abundance"), tile("rmse"))
    yield StageRecord("liar-heavy", f"{__name__}:Solve", f"needs numba {numba.__version__}", None, reads, writes)
