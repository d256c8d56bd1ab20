"""A damaged file is told in one line, by hsgeo and by nobody else."""

import subprocess
import sys

import numpy as np
import pytest
from hsgeo_sensors.prisma.writer import write_prisma

from hsgeo.scene import sensor


@pytest.mark.parametrize("command", [["info"], ["unmix", "--out", "abund.zarr", "--input"]])
def test_a_truncated_granule_is_one_line(command, tmp_path):
    bands = sensor("prisma")
    name = "PRS_L2D_STD_20240506101112_20240506101116_0001.he5"
    path = write_prisma(
        tmp_path / name,
        np.full((bands.bands, 12, 15), 0.2, np.float32),
        wavelength=bands.wavelength,
        fwhm=bands.fwhm,
        detector=bands.detector,
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    done = subprocess.run(
        [sys.executable, "-m", "hsgeo", *command, name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "not a complete HDF5 file" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
