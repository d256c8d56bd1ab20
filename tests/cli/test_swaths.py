"""Swaths on the command line: unmixed on the grid of the sensor, written on a map; and scenes stored or cut."""

import json
import os
import shutil

import numpy as np
import pytest
import rasterio
import xarray as xr

import hsgeo
from hsgeo.cli import main
from hsgeo.plugin import Quality
from hsgeo.product.convention import check_product
from tests.product.swaths import swath, with_lookup
from tests.scenes import abundances, make_scene, save

ROWS, COLS = 44, 36
RECIPE = ("--recipe", "classical", "--count", 3, "--quiet")


@pytest.fixture(scope="module")
def scene():
    where = swath(ROWS, COLS, angle=14.0)
    made = make_scene(ROWS, COLS, crs=None).assign_coords({n: where[n] for n in ("y", "x", "lat", "lon")})
    quality = np.zeros((ROWS, COLS), "u2")
    quality[5:9, 5:9] = Quality.CLOUD
    made["quality"] = (("y", "x"), quality)
    made["spectra_std"] = made["spectra"] * 0.01
    made = made.assign_coords(sun_zenith=31.5, view_azimuth=101.0)
    made.attrs |= {"processing_level": "L2A", "quality_source": "its own mask"}
    made["spectra"].attrs["scale_source"] = "the file"
    return made.isel(band=[k for k in range(40) if k not in (7, 8, 20)])


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("swaths")
    hsgeo.write_scene(scene, folder / "scene.zarr", chunk=16)
    run("unmix", "--input", folder / "scene.zarr", "--out", folder / "map.zarr", *RECIPE)
    run("unmix", "--input", folder / "scene.zarr", "--out", folder / "swath.zarr", "--grid", "swath", *RECIPE)
    return folder


def run(*args, code=0):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == code


def _truth_error(found):
    """Return the error against the truth of the pixel nearest to each cell, endmembers matched."""
    where = swath(ROWS, COLS, angle=14.0).assign(truth=(("k", "y", "x"), abundances(ROWS, COLS).astype("f4")))
    truth = hsgeo.georeference(where[["truth", "quality"]]).compute()["truth"]
    assert truth["x"].equals(found["x"].drop_attrs()) or np.array_equal(truth["x"], found["x"])
    A = found["abundance"].values
    order = [int(np.nanmean(np.abs(A[k] - truth.values), axis=(1, 2)).argmin()) for k in range(3)]
    return float(np.sqrt(np.nanmean((A - truth.values[order]) ** 2)))


def test_a_swath_is_written_on_a_map(folder, tmp_path):
    product = hsgeo.open_product(folder / "map.zarr")
    check_product(product, values=True)
    assert product.rio.crs.to_epsg() == 32632
    assert "lat" not in product.coords
    assert _truth_error(product) < 0.02
    assert sorted(p.name for p in folder.iterdir()) == ["map.zarr", "scene.zarr", "swath.zarr"]  # no spool is left
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "map.tif", *RECIPE)
    with rasterio.open(tmp_path / "map.tif") as cog:
        assert cog.crs.to_epsg() == 32632
        assert cog.transform == product.rio.transform()
        assert np.array_equal(cog.read(), product["abundance"].values, equal_nan=True)


def test_the_sensor_grid_is_kept_on_request_and_placed_later(folder, tmp_path, capsys):
    kept = hsgeo.open_product(folder / "swath.zarr")
    assert kept.sizes["y"] == ROWS
    assert kept["lat"].dims == ("y", "x")
    run("georeference", folder / "swath.zarr", "--out", tmp_path / "later.zarr")
    assert "EPSG:32632" in capsys.readouterr().err
    later, direct = hsgeo.open_product(tmp_path / "later.zarr"), hsgeo.open_product(folder / "map.zarr")
    assert later["abundance"].equals(direct["abundance"])
    assert later["quality"].equals(direct["quality"])
    assert later.attrs["hsgeo_run_id"] == direct.attrs["hsgeo_run_id"] != kept.attrs["hsgeo_run_id"]
    assert hsgeo.open_state(tmp_path / "later.zarr").keys() == hsgeo.open_state(folder / "map.zarr").keys()
    run("georeference", folder / "swath.zarr", "--out", tmp_path / "b.zarr", "--grid", "EPSG:25832", "--method",
        "bilinear", "--resolution", 25, "--quiet")  # fmt: skip
    product = hsgeo.open_product(tmp_path / "b.zarr")
    check_product(product, values=True)
    assert (product.rio.crs.to_epsg(), product.rio.resolution()) == (25832, (25, -25))
    run("info", tmp_path / "b.zarr", "--json")
    said = json.loads(capsys.readouterr().out)["georeferencing"]
    assert (said["by"], said["method"], said["crs"]) == ("geolocation", "bilinear", "EPSG:25832")


@pytest.mark.parametrize("name", ["map.zarr", "swath.zarr"])
def test_rerun(folder, tmp_path, name):
    run("rerun", folder / name, "--out", tmp_path / "again.zarr", "--quiet")
    first, second = hsgeo.open_product(folder / name), hsgeo.open_product(tmp_path / "again.zarr")
    assert first.attrs["hsgeo_run_id"] == second.attrs["hsgeo_run_id"]
    assert first.load().equals(second.load())


@pytest.mark.parametrize("stop_in_map", [False, True])
def test_a_stopped_run_goes_on(folder, tmp_path, monkeypatch, stop_in_map):
    from hsgeo.run import write as writing

    whole = writing.write_tiles

    def stopped(product, sink, tile, **rest):
        swathlike = "lat" in product.coords
        if swathlike == stop_in_map:
            return whole(product, sink, tile, **rest)
        sink.write((slice(0, min(tile, product.sizes["y"])), slice(0, min(tile, product.sizes["x"]))),
                   product.isel(y=slice(0, tile), x=slice(0, tile)).drop_vars("endmembers").compute())  # fmt: skip
        raise KeyboardInterrupt

    args = ("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "map.zarr", "--tile", 16, *RECIPE)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_tiles", stopped)
        run(*args, code=1)
    assert (tmp_path / ".map.zarr.swath.zarr").exists()
    assert (tmp_path / "map.zarr").exists() == stop_in_map
    run(*args, "--resume")
    assert os.listdir(tmp_path) == ["map.zarr"]
    assert hsgeo.open_product(tmp_path / "map.zarr")["abundance"].equals(
        hsgeo.open_product(folder / "map.zarr")["abundance"]
    )


def test_wrong_grids_are_refused_before_anything_is_done(folder, tmp_path, capsys):
    out = tmp_path / "x.zarr"
    for grid in ("EPSG:1", "nonsense"):
        run("unmix", "--input", folder / "scene.zarr", "--out", out, "--grid", grid, *RECIPE, code=2)
        assert "grid" in capsys.readouterr().err
    run("georeference", folder / "map.zarr", "--out", out, code=2)
    assert "stays as it is" in capsys.readouterr().err
    save(make_scene(8, 8, crs=None), tmp_path / "nowhere.zarr")
    run("unmix", "--input", tmp_path / "nowhere.zarr", "--out", out, "--grid", "utm", *RECIPE, code=2)
    assert "nothing says where" in capsys.readouterr().err
    assert not out.exists()


def test_a_second_map_is_chained_and_not_rerun(folder, tmp_path, capsys):
    run("georeference", folder / "map.zarr", "--out", tmp_path / "b.zarr", "--grid", "EPSG:25833", "--quiet")
    run("georeference", folder / "swath.zarr", "--out", tmp_path / "a.zarr", "--grid", "EPSG:25833", "--quiet")
    twice, once = (hsgeo.open_product(tmp_path / name) for name in ("b.zarr", "a.zarr"))
    assert len({p.attrs["hsgeo_run_id"] for p in (twice, once, hsgeo.open_product(folder / "map.zarr"))}) == 3
    assert twice.attrs["history"].endswith(
        "onto EPSG:32632 by geolocation, nearest; onto EPSG:25833 by transform, nearest"
    )
    assert twice.attrs["hsgeo_run_id"] in twice.attrs["history"]
    run("rerun", tmp_path / "b.zarr", "--out", tmp_path / "c.zarr", code=2)
    assert "onto a map 2 times: EPSG:32632, then EPSG:25833" in capsys.readouterr().err
    run("georeference", tmp_path / "b.zarr", "--out", tmp_path / "c.zarr", "--grid", "EPSG:32632", "--quiet")
    run("info", tmp_path / "c.zarr", "--json")
    steps = json.loads(capsys.readouterr().out)["georeferenced_before"]
    assert [step["crs"] for step in steps] == ["EPSG:32632", "EPSG:25833"]


def test_the_grid_of_a_file(folder, tmp_path, capsys):
    like = tmp_path / "like.tif"
    profile = {"driver": "GTiff", "width": 31, "height": 23, "count": 1, "dtype": "uint8", "crs": "EPSG:25832"}
    at = (25.0, 0.0, 511_710.0, 0.0, -25.0, 5_600_310.0)
    with rasterio.open(like, "w", transform=rasterio.Affine(*at), **profile):
        pass
    before = like.read_bytes()
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "a.zarr", "--grid", like, *RECIPE)
    run("georeference", folder / "swath.zarr", "--out", tmp_path / "b.tif", "--grid", like, "--quiet")
    run("georeference", folder / "swath.zarr", "--out", tmp_path / "c.zarr", "--grid", tmp_path / "a.zarr", "--quiet")
    a, b, c = (hsgeo.open_product(tmp_path / name) for name in ("a.zarr", "b.tif", "c.zarr"))
    for product in (a, b, c, hsgeo.georeference(hsgeo.open_product(folder / "swath.zarr"), grid=like)):
        assert (product.rio.crs.to_epsg(), product.rio.transform()[:6], product.rio.shape) == (25832, at, (23, 31))
        assert np.array_equal(product["abundance"], a["abundance"], equal_nan=True)
        assert product.attrs["hsgeo_run_id"] == a.attrs["hsgeo_run_id"]
    assert np.isfinite(a["abundance"]).any()
    run("georeference", folder / "swath.zarr", "--out", like, "--grid", like, "--overwrite", code=2)
    run("unmix", "--input", folder / "scene.zarr", "--out", like, "--grid", like, "--overwrite", *RECIPE, code=2)
    assert like.read_bytes() == before
    like.unlink()
    run("rerun", tmp_path / "a.zarr", "--out", tmp_path / "d.zarr", "--quiet")  # the file is not needed any more
    assert hsgeo.open_product(tmp_path / "d.zarr")["abundance"].equals(a["abundance"])
    with rasterio.open(tmp_path / "bare.tif", "w", transform=rasterio.Affine(*at), **(profile | {"crs": None})):
        pass
    (tmp_path / "text.tif").write_text("no raster")
    capsys.readouterr()
    for name, said in (("bare.tif", "has no CRS"), ("text.tif", "cannot be read"), ("like.tif", "does not exist")):
        run("georeference", folder / "swath.zarr", "--out", tmp_path / "x.zarr", "--grid", tmp_path / name, code=2)
        assert said in capsys.readouterr().err
    assert not (tmp_path / "x.zarr").exists()


def test_a_system_of_another_region(folder, tmp_path, capsys):
    far = tmp_path / "far.zarr"
    moved = hsgeo.open_scene(folder / "scene.zarr").compute()
    moved = moved.assign_coords(lon=moved["lon"] - 125, lat=moved["lat"] - 15)
    hsgeo.write_scene(moved, far, chunk=16)
    run("unmix", "--input", far, "--out", tmp_path / "x.tif", "--grid", "EPSG:2056", *RECIPE, code=2)
    assert "no pixel lies on the grid" in capsys.readouterr().err
    run("unmix", "--input", far, "--out", tmp_path / "y.tif", "--grid", "EPSG:32614", *RECIPE)
    assert capsys.readouterr().err.count("outside the area of EPSG:32614") == 1
    assert not (tmp_path / "x.tif").exists()


def test_what_georeference_says_to_the_wrong_input(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "x.zarr"
    run("georeference", folder / "map.zarr", "--out", out, "--grid", "utm", code=2)
    assert "map.zarr is on EPSG:32632 already; nothing to do" in capsys.readouterr().err
    run("georeference", folder / "scene.zarr", "--out", out, "--grid", "utm", code=2)
    assert "scene.zarr is a scene" in capsys.readouterr().err
    (tmp_path / "empty.zarr").mkdir()
    run("georeference", tmp_path / "empty.zarr", "--out", out, "--grid", "utm", code=2)
    assert "is a scene" not in capsys.readouterr().err

    def stopped(*args, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(hsgeo.api, "write", stopped)
    run("georeference", folder / "swath.zarr", "--out", out, code=1)
    assert "--resume goes on with it" in capsys.readouterr().err


def test_swaths_without_places(folder, scene, tmp_path, capsys):
    half, none = scene["lat"].where(scene["lat"]["y"] > 22), scene["lat"] * np.nan
    for lat, name in ((half, "half.zarr"), (none, "none.zarr")):
        hsgeo.write_scene(scene.assign_coords(lat=lat), tmp_path / name, chunk=16)
    run("unmix", "--input", tmp_path / "half.zarr", "--out", tmp_path / "map.zarr", *RECIPE)
    product = hsgeo.open_product(tmp_path / "map.zarr")
    check_product(product, values=True)
    whole = hsgeo.open_product(folder / "map.zarr")["rmse"]
    known = np.isfinite(product["rmse"].values)
    assert known.sum() == pytest.approx(np.isfinite(whole.values).sum() / 2, rel=0.05)
    assert np.array_equal(product["rmse"].values[known], whole.reindex_like(product["rmse"]).values[known])
    run("unmix", "--input", tmp_path / "none.zarr", "--out", tmp_path / "x.zarr", *RECIPE, code=2)
    said = capsys.readouterr().err
    assert "no place at all" in said
    assert "grid='swath'" in said
    assert not (tmp_path / "x.zarr").exists()


def test_the_lookup_table_of_the_file_comes_first(scene, tmp_path):
    rows, cols = np.mgrid[1 : ROWS + 1, 1 : COLS + 1]
    table = with_lookup(scene, (10.0, 0, 500_000.0, 0, -10.0, 5_600_000.0), cols, rows, epsg=32633)
    hsgeo.write_scene(table, tmp_path / "t.zarr", zarr_format=3)
    run("unmix", "--input", tmp_path / "t.zarr", "--out", tmp_path / "t1.zarr", *RECIPE)
    product = hsgeo.open_product(tmp_path / "t1.zarr")
    assert (product.rio.crs.to_epsg(), product.rio.resolution()) == (32633, (10, -10))
    assert product.sizes["y"] == ROWS
    product = hsgeo.unmix(hsgeo.open_scene(tmp_path / "t.zarr"), recipe="classical", options={"archetypes.count": 3})
    assert "glt_x" in product.coords  # the call in Python leaves the sensor grid
    assert hsgeo.georeference(product, grid="utm").rio.crs.to_epsg() == 32632


def test_a_lazy_map_that_was_changed_is_written_as_it_is(scene, tmp_path):
    product = hsgeo.unmix(scene, recipe="classical", options={"archetypes.count": 3}, tile=16)
    cut = hsgeo.georeference(product, tile=24).isel(y=slice(10, 40), x=slice(5, 40)).chunk(y=30, x=35)
    hsgeo.write(cut, tmp_path / "cut.zarr")
    written = hsgeo.open_product(tmp_path / "cut.zarr")
    assert written["abundance"].shape == (3, 30, 35)
    assert written["abundance"].values.tobytes() == cut["abundance"].values.tobytes()


def test_convert_keeps_everything(folder, scene, tmp_path, capsys):
    run("convert", folder / "scene.zarr", tmp_path / "copy.zarr", "--chunk", 20)
    assert f"{ROWS} x {COLS}" in capsys.readouterr().err
    again = hsgeo.open_scene(tmp_path / "copy.zarr")
    xr.testing.assert_equal(again.compute(), scene)
    assert again.attrs["quality_source"] == "its own mask"
    assert again["spectra"].attrs["scale_source"] == "the file"
    stored = xr.open_dataset(tmp_path / "copy.zarr", engine="hsgeo")
    assert stored["spectra"].encoding["chunks"] == (37, 20, 20)
    run("convert", folder / "scene.zarr", tmp_path / "copy.zarr", code=2)
    assert "exists" in capsys.readouterr().err
    run("convert", folder / "scene.zarr", tmp_path / "copy.zarr", "--overwrite", "--quiet")
    run("convert", folder / "scene.zarr", folder / "scene.zarr", "--overwrite", code=2)
    run("convert", folder / "scene.zarr", tmp_path / "copy.tif", code=2)
    assert sorted(os.listdir(tmp_path)) == ["copy.zarr"]


def test_a_store_that_fails_leaves_nothing(folder, tmp_path, capsys):
    shutil.copytree(folder / "scene.zarr", tmp_path / "broken.zarr")
    for chunk in (tmp_path / "broken.zarr" / "spectra").glob("0.1.*"):
        chunk.write_bytes(b"no chunk")
    run("convert", tmp_path / "broken.zarr", tmp_path / "copy.zarr", code=2)
    assert "broken.zarr" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["broken.zarr"]


def test_subset(folder, scene, tmp_path, capsys):
    lon, lat = float(scene["lon"][20, 10]), float(scene["lat"][20, 10])
    box = f"{lon - 1e-3},{lat - 1e-3},{lon + 1e-3},{lat + 1e-3}"
    run("subset", folder / "scene.zarr", tmp_path / "part.zarr", "--bbox", box, "--wavelength", "450-1000", "--quiet")
    part = hsgeo.open_scene(tmp_path / "part.zarr")
    assert part.sizes["y"] < 15
    assert part["wavelength"].values.max() <= 1000
    same = scene.sel(y=part["y"], x=part["x"]).isel(band=slice(0, part.sizes["band"]))
    assert np.array_equal(part["spectra"], same["spectra"], equal_nan=True)
    for args, said in (
        (("--bbox", "1,2,3,4"), "holds no pixel"),
        ((), "neither"),
        (("--wavelength", "1-2"), "no band"),
    ):
        run("subset", folder / "scene.zarr", tmp_path / "none.zarr", *args, code=2)
        assert said in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["part.zarr"]


def test_info_tells_all_of_it(folder, capsys):
    run("info", folder / "scene.zarr", "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["processing_level"] == "L2A"
    assert said["quality_source"] == "its own mask"
    assert said["scale_source"] == "the file"
    assert said["angles"] == {"sun_zenith": 31.5, "view_azimuth": 101.0}
    assert said["spectra_std"] is True
    assert said["geolocation"] == "lat, lon of pixel centres"
    assert said["bands_left_out"] == "3 of the product: 8-9, 21"
    assert "sensor (swath)" in said["grid"]
    run("info", folder / "scene.zarr")
    assert "sun_zenith 31.5" in capsys.readouterr().out


def test_the_summary_counts_what_was_measured_and_says_where_it_went(folder, scene, tmp_path, capsys):
    scene_path, how = folder / "scene.zarr", RECIPE[:-1]  # not quiet
    run("unmix", "--input", scene_path, "--out", tmp_path / "a.zarr", *how)
    said = capsys.readouterr().out
    rows, cols = (hsgeo.open_product(folder / "map.zarr").sizes[n] for n in ("y", "x"))
    assert "pixels 1,568 of 1,584 unmixed" in said, said  # 16 of 44 x 36 are cloud
    assert f"map EPSG:32632, {rows} x {cols} cells of 30 m" in said
    assert "gdalinfo" in said
    assert os.listdir(tmp_path) == ["a.zarr"]
    run("unmix", "--input", scene_path, "--out", tmp_path / "b.tif", "--grid", "swath", *how)
    said = capsys.readouterr().out
    assert "pixels 1,568 of 1,584 unmixed" in said
    assert "map " not in said
    assert f"hsgeo georeference {tmp_path / 'b.tif'} --out" in said
    turned = scene.drop_vars(["lat", "lon"]).assign_coords(y=np.arange(ROWS), x=np.arange(COLS)).rio.write_crs(32632)
    turned["spatial_ref"].attrs["GeoTransform"] = "512000 26 15 5600000 15 -26"
    turned["spectra"].attrs["grid_mapping"] = "spatial_ref"
    hsgeo.write_scene(turned, tmp_path / "turned.zarr", chunk=16)
    run("unmix", "--input", tmp_path / "turned.zarr", "--out", tmp_path / "t.zarr", *how)
    said = capsys.readouterr().out
    assert "gdalinfo" not in said
    assert f"hsgeo georeference {tmp_path / 't.zarr'} --out {tmp_path / 't_map.zarr'} --grid utm" in said
    run("georeference", tmp_path / "t.zarr", "--out", tmp_path / "t_map.zarr", "--grid", "utm", "--quiet")  # it works
