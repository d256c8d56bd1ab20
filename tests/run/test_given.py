"""Given spectra: how many a recipe takes is for its stages to say, and what only counts endmembers is left out."""

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsgeo
from hsgeo.cli import main
from hsgeo.errors import ConfigError
from tests.scenes import WAVELENGTH, endmembers, make_scene, save

MANY = 150  # of 40 bands


@pytest.fixture(scope="module")
def library():
    rng = np.random.default_rng(0)
    drift = np.cumsum(rng.normal(0, 0.01, (MANY - 3, WAVELENGTH.size)), axis=1)
    spectra = np.r_[endmembers(3), np.abs(rng.uniform(0.05, 0.6, (MANY - 3, 1)) + drift)]
    return xr.Dataset(
        {"spectra": (("spectrum", "band"), spectra.astype(np.float32))},
        {"wavelength": ("band", WAVELENGTH), "name": ("spectrum", [f"s{i}" for i in range(MANY)])},
    )


def test_a_library_of_more_spectra_than_bands_goes_through_a_sparse_recipe_to_a_file(tmp_path, library):
    save(make_scene(20, 18), tmp_path / "scene.zarr")
    lines = ["name," + ",".join(f"{w:g}" for w in WAVELENGTH)]
    for name, spectrum in zip(library["name"].values, library["spectra"].values, strict=True):
        lines.append(f"{name}," + ",".join(f"{value:.6f}" for value in spectrum))
    (tmp_path / "lib.csv").write_text("\n".join(lines))
    (tmp_path / "sparse.yml").write_text("stages:\n  - use: sunsal\n")
    call = ["unmix", "--input", "scene.zarr", "--endmembers", "lib.csv", "--recipe", "sparse.yml", "--out", "p.tif"]
    with pytest.raises(SystemExit) as done:
        main([str(tmp_path / arg) if "." in arg else arg for arg in call])
    assert done.value.code == 0
    with rasterio.open(tmp_path / "p.tif") as image:
        A = image.read()
        assert image.descriptions == tuple(f"s{i}" for i in range(MANY))
    assert A[:3].sum(axis=0).mean() > 0.75  # measured: 0.82 for the three that are there, 0.07 for the 147 others
    assert A[3:].sum(axis=0).mean() < 0.1
    assert np.median((A > 0.01).sum(axis=0)) <= 4  # measured: 3


@pytest.mark.parametrize(("stages", "says"), [(["fcls"], "'fcls'"), (["sunsal", "bvls"], "'bvls'")])
def test_a_recipe_with_a_stage_that_cannot_refuses_it(library, stages, says):
    with pytest.raises(ConfigError, match=f"150 endmembers were given for 40 bands, .* {says} can"):
        hsgeo.fit(make_scene(20, 18), stages=stages, endmembers=library)


def test_what_only_counts_is_left_out_and_said(library):
    said = []
    stages = ["hysime", {"use": "vca"}, "fcls"]
    state = hsgeo.fit(make_scene(20, 18), stages=stages, endmembers=library.isel(spectrum=slice(3)), notice=said.append)
    assert said == ["endmembers were given: hysime, vca left out"]
    assert "hysime" not in state
