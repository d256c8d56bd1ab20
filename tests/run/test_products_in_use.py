"""Products and states as people use them: cut, written again, fitted on an archive; one wild value among good ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsgeo
from hsgeo.plugin import Quality
from tests.scenes import abundances, make_scene

COUNT = {"archetypes": {"count": 3}}


@pytest.mark.parametrize("name", ["cut.zarr", "cut.tif"])
def test_a_cut_product_lies_where_it_was_cut_out(tmp_path, name):
    product = hsgeo.unmix(make_scene(60, 50), options=COUNT, tile=16)
    cut = product.isel(y=slice(10, 35), x=slice(20, 50))
    hsgeo.write(cut, tmp_path / name)
    where = rasterio.Affine(30, 0, 350_000 + 20 * 30, 0, -30, 5_800_000 - 10 * 30)
    found = hsgeo.open_product(tmp_path / name)
    assert found.rio.transform() == where
    path = tmp_path / name if name.endswith("tif") else f'ZARR:"{tmp_path / name}":/abundance'
    with rasterio.open(path) as image:
        assert image.transform == where
        np.testing.assert_array_equal(image.read(), cut["abundance"].values)
    if name.endswith("zarr"):
        assert found.attrs["spatial:transform"] == list(where)[:6]
        assert found.attrs["spatial:shape"] == [25, 30]


def test_a_product_written_from_python_carries_its_state(tmp_path):
    scene = make_scene(40, 40)
    hsgeo.write(hsgeo.unmix(scene, options=COUNT), tmp_path / "p.zarr")
    again = make_scene(20, 30, seed=5).hsu.unmix(state=tmp_path / "p.zarr")
    assert np.array_equal(again["endmembers"], hsgeo.open_product(tmp_path / "p.zarr")["endmembers"])


def test_a_lazy_product_is_plain_data(tmp_path):
    product = hsgeo.unmix(make_scene(20, 20), options=COUNT)
    product.to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    product.to_zarr(tmp_path / "p.zarr", zarr_format=2)
    assert xr.open_zarr(tmp_path / "p.zarr")["abundance"].equals(product["abundance"].compute())


def test_endmembers_of_a_cog_come_back_without_the_band_flag(tmp_path):
    scene = make_scene(30, 30)
    hsgeo.write(hsgeo.unmix(scene, options=COUNT), tmp_path / "p.tif")
    for source in ("p_endmembers.csv", "p.tif"):
        again = hsgeo.unmix(scene, endmembers=tmp_path / source)
        assert again["endmember"].values.tolist() == ["e1", "e2", "e3"]


def test_siblings_of_a_cog_are_not_replaced(tmp_path):
    (tmp_path / "p_rmse.tif").write_text("somebody's")
    with pytest.raises(hsgeo.ProductError, match="p_rmse"):
        hsgeo.write(hsgeo.unmix(make_scene(20, 20), options=COUNT), tmp_path / "p.tif")
    assert (tmp_path / "p_rmse.tif").read_text() == "somebody's"
    assert [path.name for path in tmp_path.iterdir()] == ["p_rmse.tif"]


@pytest.mark.parametrize("value", [-9999.0, 1e4, 1e30])
@pytest.mark.parametrize("bands", [slice(None), slice(7, 8)])
def test_a_wild_value_is_missing_and_moves_nothing(value, bands):
    scene = make_scene(60, 50)
    clean = hsgeo.unmix(scene, options=COUNT).compute()
    wild = scene.copy(deep=True)
    wild["spectra"][bands, 9, 9] = value
    found = hsgeo.unmix(wild, options=COUNT).compute()
    assert np.array_equal(found["good"], clean["good"])
    one_band = bands == slice(7, 8)
    assert found["quality"].values[9, 9] & (Quality.PARTIAL if one_band else Quality.NODATA)
    difference = np.abs(found["abundance"].values - clean["abundance"].values)
    difference[:, 9, 9] = 0
    assert np.nanmax(difference) <= 0.02
    others = np.ones((60, 50), bool)
    others[9, 9] = False
    assert np.array_equal(found["quality"].values[others], clean["quality"].values[others])


@pytest.mark.parametrize("factor", [100, 10_000])
def test_a_scene_in_another_scale_is_refused(factor):
    scene = make_scene(20, 20)
    scaled = scene.assign(spectra=(scene["spectra"] * factor).assign_attrs(scene["spectra"].attrs))
    with pytest.raises(hsgeo.SceneError, match="no reflectance"):
        hsgeo.unmix(scaled)


def test_noise_free_scenes_keep_their_bands_and_noisy_bands_are_named():
    smooth = hsgeo.fit(make_scene(40, 40, noise=0.0), options=COUNT)
    assert smooth["scene"]["good"].all()
    scene = make_scene(60, 60)
    rng = np.random.default_rng(0)
    scene["spectra"][11] += rng.normal(0, 0.2, (60, 60)).astype(np.float32)
    with pytest.warns(hsgeo.HsgeoWarning, match="far noisier"):
        state = hsgeo.fit(scene, options=COUNT)
    assert np.flatnonzero(~state["scene"]["good"].values).tolist() == [11]


def test_bands_that_some_pixels_lack_are_named_and_dead_ones_are_not():
    scene = make_scene(40, 40)
    scene["spectra"][2] = np.nan
    hsgeo.fit(scene, options=COUNT)  # dead: nothing is lost
    scene["spectra"][7:, :10] = np.nan
    with pytest.warns(hsgeo.HsgeoWarning, match=r"bands \(\d+.* lack them; 6 bands are used"):
        state = hsgeo.fit(scene, options=COUNT)
    assert np.flatnonzero(state["scene"]["good"].values).tolist() == [0, 1, 3, 4, 5, 6]


def test_unevenly_spaced_pixels_are_refused():
    with pytest.raises(hsgeo.SceneError, match="evenly"):
        hsgeo.unmix(make_scene(20, 20).isel(x=[0, 1, 2, 5, 9, 10]))


def test_one_fit_for_an_archive():
    scenes = [make_scene(40, 50, seed=seed) for seed in (1, 2)]
    state = hsgeo.fit(scenes, options=COUNT)
    first, second = (hsgeo.unmix(scene, state=state).compute() for scene in scenes)
    assert np.array_equal(first["endmembers"], second["endmembers"])
    for product, seed in ((first, 1), (second, 2)):
        truth = abundances(40, 50, seed=seed)
        order = [int(np.abs(product["abundance"].values[k] - truth).mean((1, 2)).argmin()) for k in range(3)]
        assert np.sqrt(np.mean((product["abundance"].values - truth[order]) ** 2)) < 0.02
    assert first.attrs["hsgeo_run_id"] != second.attrs["hsgeo_run_id"]


def test_kernels_are_made_once_per_process_and_closed_only_when_idle():
    from hsgeo.run import worker

    made, closed = [], []

    class Kernel:
        def setup(self, state, device):
            made.append(self)
            return self

        def close(self):
            closed.append(self)

    class Plan:
        def __init__(self, token):
            step = SimpleNamespace(id="count", stage=Kernel())
            self.token, self.steps = token, [SimpleNamespace(step=step, state=None, device="cpu")]

    plans = [Plan(f"test-{number}") for number in range(8)]
    with worker.kernels_of(plans[0]) as first:
        for plan in plans[1:]:
            with worker.kernels_of(plan):
                pass
        assert first[0] not in closed  # in use, however many came after it
        with worker.kernels_of(plans[0]) as again:
            assert again[0] is first[0]
    assert len(made) == 8
    assert len(closed) >= 3
