"""The device of a kernel: nobody pays for torch on a machine that has no GPU."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hsgeo.stages.devices import pick_device

RUN = """
import sys
import hsgeo
from hsgeo.stages.devices import pick_device
from tests.scenes import make_scene

hsgeo.unmix(make_scene(12, 12, 2), recipe="classical", options={"archetypes": {"count": 2}}, notice=print).compute()
print(pick_device(("cpu", "cuda")), "torch" in sys.modules)
"""


def has_driver():
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_driver(), reason="has a CUDA driver, so torch is asked")
def test_without_a_driver_a_recipe_without_networks_does_not_import_torch(tmp_path):
    (tmp_path / "torch.py").write_text("class cuda:\n    is_available = staticmethod(lambda: True)\n")
    place = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=os.environ | {"PYTHONPATH": place}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "cpu False"


@pytest.mark.skipif(not has_driver(), reason="has no CUDA driver")
def test_with_a_driver_torch_decides():
    torch = pytest.importorskip("torch")  # an optional dependency
    assert pick_device(("cpu", "cuda")) == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_stage_that_only_knows_the_cpu_runs_there():
    assert pick_device(("cpu",)) == "cpu"
