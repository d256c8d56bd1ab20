"""From the sensor grid to a map: each pixel where it belongs, none where it does not."""

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from scipy.spatial.distance import cdist

import hsgeo
from hsgeo.errors import ConfigError, SceneError
from hsgeo.plugin import Quality
from tests.product.swaths import assert_placed, swath, with_lookup


@pytest.mark.parametrize("angle", [3.0, 163.0, 271.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_each_pixel_lands_where_it_is(angle, mirrored, method):
    found = hsgeo.georeference(swath(angle=angle, mirrored=mirrored), method=method).compute()
    assert found.rio.crs.to_epsg() == 32632
    assert [abs(v) for v in found.rio.resolution()] == [30.0, 30.0]
    assert found["x"].values[0] % 30 == pytest.approx(15)  # corners of cells are multiples of their size
    assert_placed(found)


def _half_pixel(ds):
    """A reader that gave corners of pixels."""
    lat, lon = (ds[name].values for name in ("lat", "lon"))
    moved = {n: (v + np.roll(np.roll(v, 1, 0), 1, 1)) / 2 for n, v in (("lat", lat), ("lon", lon))}
    return ds.assign_coords({n: (("y", "x"), v) for n, v in moved.items()}).isel(y=slice(1, None), x=slice(1, None))


def _flipped(ds):
    return ds.assign_coords(lat=(("y", "x"), ds["lat"].values[::-1]), lon=(("y", "x"), ds["lon"].values[::-1]))


def _transposed(ds):
    square = ds.isel(y=slice(0, 40))
    return square.assign_coords(lat=(("y", "x"), square["lat"].values.T), lon=(("y", "x"), square["lon"].values.T))


@pytest.mark.parametrize("wrong", [_half_pixel, _flipped, _transposed])
def test_a_wrong_geolocation_is_seen(wrong):
    with pytest.raises(AssertionError):
        assert_placed(hsgeo.georeference(wrong(swath())).compute())


def test_the_nearest_pixel_by_brute_force_and_no_smear():
    ds = swath(rows=23, cols=31, angle=38.0)
    found = hsgeo.georeference(ds, tile=16).compute()
    where = 1000 * np.stack([ds["east"].values, ds["north"].values], -1).reshape(-1, 2).astype("f8")
    cells = np.stack(np.meshgrid(found["x"] - 512_000, found["y"] - 5_600_000), -1).reshape(-1, 2)
    apart = cdist(cells, where)
    nearest, least = apart.argmin(1), apart.min(1) / 30
    model = found["model"].values.ravel()
    assert (model[least > 1.0] == -1).all()  # not even a diagonal further, which is 1.41
    inside = (np.array(np.divmod(nearest, 31)) % np.array([[22], [30]]) != 0).all(0)  # not a pixel of the border
    assert (model[(least < 0.707) & inside] >= 0).all()  # nor a hole inside
    assert (model[least < 0.5] >= 0).all()
    clear = (model >= 0) & (np.sort(apart, 1)[:, 1] - apart.min(1) > 0.1)  # but where two are equally near
    assert clear.sum() > 600
    assert np.array_equal(model[clear], nearest[clear])


@pytest.mark.parametrize("tall", [False, True])
def test_long_pixels_reach_no_further_than_they_are(tall):
    ds = swath(rows=40, cols=40)
    thin = ds.isel(y=slice(None, None, 1 if tall else 5), x=slice(None, None, 5 if tall else 1))
    thin = thin.assign_coords({name: (("y", "x"), thin[name].values) for name in ("lat", "lon")})
    gap = thin.copy()
    gap["lat"] = thin["lat"].copy()
    if tall:
        gap["lat"].values[18:22] = np.nan  # four rows across the long side
    else:
        gap["lat"].values[:, 18:22] = np.nan
    whole, cut = (hsgeo.georeference(one, resolution=30).compute()["model"].values for one in (thin, gap))
    lost = np.isin(whole, thin["model"].values[18:22] if tall else thin["model"].values[:, 18:22])
    assert (cut[lost] == -1).mean() > 0.85  # a gap stays a gap: a tenth of a pixel on both sides is bridged
    assert np.array_equal(cut[~lost], whole[~lost])


def test_tiles_and_chunks_change_no_bit():
    ds = swath(angle=200.0)
    for method in ("nearest", "bilinear"):
        one = hsgeo.georeference(ds, method=method).compute()
        for other in (ds, ds.chunk(y=13, x=11)):
            many = hsgeo.georeference(other, method=method, tile=17)
            assert many["abundance"].chunks[-1][0] == 17
            assert many.compute(scheduler="threads").equals(one)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_sums_are_kept_and_nodata_stays_apart(method):
    ds = swath()
    gone = np.zeros((60, 40), bool)
    gone[20:30, 10:25] = True
    ds["abundance"] = ds["abundance"].where(~gone)
    ds["quality"] = ds["quality"].copy(data=np.where(gone, Quality.MASKED | Quality.CLOUD, 0).astype("u2"))
    found = hsgeo.georeference(ds, method=method).compute()
    missing = np.isnan(found["abundance"]).all("endmember")
    assert (missing == np.isnan(found["abundance"]).any("endmember")).all()
    assert (missing == (found["quality"] & (Quality.NODATA | Quality.MASKED) != 0)).all()
    assert (found["quality"] & Quality.MASKED != 0).sum() == pytest.approx(gone.sum(), rel=0.05)
    total = found["abundance"].sum("endmember", skipna=False).values
    np.testing.assert_allclose(total[np.isfinite(total)], 1, atol=1e-6)
    assert found["abundance"].dtype == np.float32
    assert set(np.unique(found["quality"])) == {0, 1, Quality.MASKED | Quality.CLOUD}
    assert found["model"].dtype == np.int32


def test_sums_are_kept_where_an_endmember_is_missing():
    ds = swath(angle=31.0)
    holes = np.random.default_rng(3).random((60, 40)) < 0.1
    ds["abundance"].values[1][holes] = np.nan
    found = hsgeo.georeference(ds, method="bilinear").compute()
    total = found["abundance"].sum("endmember", skipna=False).values
    assert np.isfinite(total).sum() > 2000
    np.testing.assert_allclose(total[np.isfinite(total)], 1, atol=1e-6)
    at = found["model"].values
    missing = (at >= 0) & holes.ravel()[at]
    assert np.array_equal(np.isnan(found["abundance"].values), np.stack([at < 0, (at < 0) | missing, at < 0]))
    whole = hsgeo.georeference(swath(angle=31.0), method="bilinear").compute()
    assert found["east"].equals(whole["east"])  # what has no hole is no other


def test_bilinear_is_exact_for_a_plane_and_steps_are_nearest():
    ds = swath(angle=31.0)
    inner = {"x": slice(20, -20), "y": slice(25, -25)}
    smooth, rough = (hsgeo.georeference(ds, method=m).compute().isel(inner) for m in ("bilinear", "nearest"))
    off = [np.abs(m["east"] * 1000 + 512_000 - m["x"]).max() for m in (smooth, rough)]
    assert off[0] < 0.05  # metres
    assert off[1] > 10
    assert smooth["model"].equals(rough["model"])


def test_the_lookup_table_of_the_file():
    ds = swath(4, 5).drop_vars(["lat", "lon"])
    x = [[0, 1, 2, 3], [5, -4, 1, 0], [0, 0, 2, 5]]
    y = [[0, 1, 1, 1], [4, -4, 2, 0], [0, 0, 3, 4]]
    ds = with_lookup(ds, (60.0, 0.0, 500_000.0, 0.0, -60.0, 5_600_000.0), x, y)
    found = hsgeo.georeference(ds).compute()
    expected = [[-1, 0, 1, 2], [19, 18, 5, -1], [-1, -1, 11, 19]]
    assert found["model"].values.tolist() == expected
    assert found["x"].values.tolist() == [500_030.0, 500_090.0, 500_150.0, 500_210.0]  # centres: half a cell in
    assert found["y"].values[0] == 5_599_970.0
    assert found.rio.transform()[:6] == (60, 0, 500_000, 0, -60, 5_600_000)
    assert "glt_x" not in found.variables
    cut = hsgeo.georeference(ds.isel(y=slice(1, None), x=slice(1, 4))).compute()
    kept = [v if v // 5 >= 1 and 1 <= v % 5 <= 3 else -1 for row in expected for v in row]
    assert cut["model"].values.ravel().tolist() == kept
    strided = hsgeo.georeference(ds.isel(y=slice(1, None, 2))).compute()
    assert {v for v in expected[0] + expected[1] + expected[2] if v // 5 in (1, 3)} <= {*strided["model"].values.flat}
    with pytest.raises(ConfigError, match="lookup table"):
        hsgeo.georeference(ds, grid="utm")
    with pytest.raises(SceneError, match="none of the 4 x 5 pixels"):
        hsgeo.georeference(ds.assign_coords(glt_x=ds["glt_x"] * 0))


@pytest.mark.parametrize(
    ("epsg", "centre", "expected"),
    [
        (32660, (833_978.0, 0.0), 32660),  # the antimeridian at the equator
        (32701, (200_000.0, 8_100_000.0), 32701),
        (5041, (2_000_000.0, 2_000_000.0), 5041),  # the north pole itself
        (5042, (2_100_000.0, 1_900_000.0), 5042),
    ],
)
def test_antimeridian_and_poles(epsg, centre, expected):
    ds = swath(epsg=epsg, centre=centre)
    found = hsgeo.georeference(ds).compute()
    assert found.rio.crs.to_epsg() == expected
    assert found.sizes["x"] < 80
    assert_placed(found, centre=centre)


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [
        (5.3, 60.4, 32632),  # Bergen: Norway's zone reaches to 3 degrees
        (2.9, 60.4, 32631),
        (5.3, 64.05, 32631),
        (4.0, 56.05, 32632),  # from the centre of the Earth that would be 55.9
        (4.0, 55.95, 32631),
        (8.9, 72.1, 32631),  # Svalbard has four zones instead of seven
        (9.1, 78.2, 32633),
        (20.9, 83.95, 32633),
        (21.1, 78.2, 32635),
        (33.1, 78.2, 32637),
        (42.1, 78.2, 32638),
        (8.9, 71.95, 32632),
        (15.6, 84.05, 5041),
        (5.3, -60.4, 32731),
        (-70.0, -79.95, 32719),
        (-70.0, -80.05, 5042),
        (-179.999, 10.0, 32601),
    ],
)
def test_zones(lon, lat, expected):
    ds = swath(epsg=f"+proj=aeqd +lat_0={lat} +lon_0={lon}", centre=(0.0, 0.0))
    found = hsgeo.georeference(ds, grid="utm").compute()
    assert found.rio.crs.to_epsg() == expected
    assert found.sizes["y"] < 90
    assert (found["model"] >= 0).sum() > 2000


def _in_degrees(west, north, step=0.0003):
    lon, lat = west + step * (np.arange(40) + 0.5), north - step * (np.arange(60) + 0.5)
    model = np.arange(60 * 40, dtype="i4").reshape(60, 40)
    return xr.Dataset({"model": (("y", "x"), model)}, {"y": lat, "x": lon}).rio.write_crs("EPSG:4326")


@pytest.mark.parametrize("west", [179.994, -180.006, 359.994, 8.0])
def test_a_map_in_degrees_onto_utm(west):
    ds = _in_degrees(west, 1.0)
    found = hsgeo.georeference(ds, grid="utm", tile=32).compute()
    model = found["model"].values
    lon, lat = Transformer.from_crs(found.rio.crs.to_wkt(), 4326, always_xy=True).transform(
        *np.meshgrid(found["x"], found["y"])
    )
    right, down = ((lon - west + 180) % 360 - 180) / 0.0003, (1.0 - lat) / 0.0003
    inside = (right > 0) & (right < 40) & (down > 0) & (down < 60)
    assert inside.mean() > 0.9
    expected = np.floor(down).astype(int) * 40 + np.floor(right).astype(int)
    assert np.array_equal(model, np.where(inside, expected, -1))


def test_the_pole_of_a_map_in_degrees():
    ds = _in_degrees(-180.0, 90.0, 9.0).isel(y=slice(0, 3))
    cells = {"crs": "EPSG:3413", "transform": (1e5, 0, -9.5e5, 0, -1e5, 9.5e5), "shape": (19, 19)}
    one, many = (hsgeo.georeference(ds, grid=cells, tile=tile).compute()["model"].values for tile in (19, 7))
    assert np.array_equal(one, many)
    assert (one >= 0).all()
    assert one[9, 9] // 40 == 0  # the pole itself: the first row


def test_degrees_across_the_antimeridian_are_contiguous():
    ds = swath(epsg=32660, centre=(833_978.0, 0.0))
    assert np.ptp(ds["lon"].values) > 350
    found = hsgeo.georeference(ds, grid="EPSG:4326").compute()
    assert found.sizes["x"] < 80
    assert 179.9 < found["x"].values[0] < 180 < found["x"].values[-1] < 180.1
    assert (found["quality"] == 0).mean() > 0.5


def test_a_torn_grid_is_one_clear_error():
    with pytest.raises(ConfigError, match="torn"):
        hsgeo.georeference(swath(epsg=32660, centre=(833_978.0, 0.0)), grid="EPSG:3857")
    with pytest.raises(ConfigError, match=r"torn|no place"):
        hsgeo.georeference(swath(epsg=5041, centre=(2_000_000.0, 2_000_000.0)), grid="EPSG:4326")
    with pytest.raises(ConfigError, match="torn"):  # the middle pixel lies on the seam, and would be 40,000 km wide
        hsgeo.georeference(_in_degrees(179.994, 1.0), grid="EPSG:3857")


@pytest.mark.parametrize("crs", [32632, 4326])
def test_a_grid_elsewhere_is_one_clear_error(crs):
    ds = swath()
    there = hsgeo.georeference(ds, grid=crs).compute()
    a, _, c, _, e, f = there.rio.transform()[:6]
    shape = (there.sizes["y"], there.sizes["x"])
    turn = 360 if crs == 4326 else 0  # the same places, a turn of the Earth away
    same = hsgeo.georeference(ds, grid={"crs": crs, "transform": (a, 0, c - turn, 0, e, f), "shape": shape}).compute()
    assert np.array_equal(same["model"], there["model"])
    for moved in ((a, 0, c + 500 * a, 0, e, f), (a, 0, c, 0, e, f + 500 * e)):
        with pytest.raises(ConfigError, match="no pixel lies on the grid"):
            hsgeo.georeference(ds, grid={"crs": crs, "transform": moved, "shape": shape})


def test_a_rotated_grid_onto_another_like_gdal():
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    values = np.arange(50 * 40, dtype="i4").reshape(50, 40)
    turned = Affine.translation(512_000, 5_600_000) * Affine.rotation(25) * Affine.scale(20, -20)
    ds = xr.Dataset({"model": (("y", "x"), values, {"grid_mapping": "spatial_ref"})},
                    {"y": np.arange(50), "x": np.arange(40)}).rio.write_crs("EPSG:32632")  # fmt: skip
    ds = ds.rio.write_transform(turned)
    found = hsgeo.georeference(ds, grid=25832, tile=16).compute()
    expected = np.full(found["model"].shape, -1, "i4")
    reproject(values, expected, src_transform=turned, src_crs="EPSG:32632", dst_transform=found.rio.transform(),
              dst_crs="EPSG:25832", resampling=Resampling.nearest, init_dest_nodata=True, dst_nodata=-1)  # fmt: skip
    assert (found["model"].values == expected).mean() > 0.999
    assert found.rio.resolution() == (20, -20)
    assert hsgeo.georeference(ds) is ds  # on a map already
    assert hsgeo.georeference(ds, grid="swath") is ds
    for grid in ("EPSG:25832", 25832):
        assert hsgeo.georeference(found, grid=grid) is found
    like = hsgeo.georeference(ds, grid=found)
    assert like["model"].equals(found["model"])


def test_a_given_grid():
    wanted = {"crs": "EPSG:32632", "transform": (15.0, 0, 511_995.0, 0, -15.0, 5_600_010.0), "shape": (4, 6)}
    found = hsgeo.georeference(swath(), grid=wanted).compute()
    assert found["east"].shape == (4, 6)
    assert found.rio.transform()[:6] == wanted["transform"]
    assert np.abs(found["east"] * 1000 + 512_000 - found["x"]).max() < 21.3
    for wrong in ({"crs": "EPSG:32632"}, wanted | {"shape": (0, 3)}, wanted | {"transform": (0, 0, 0, 0, 0, 0)}):
        with pytest.raises(ConfigError):
            hsgeo.georeference(swath(), grid=wrong)
    with pytest.raises(ConfigError, match="together"):
        hsgeo.georeference(swath(), grid=wanted, resolution=10)


def test_holes_and_tiny_swaths():
    ds = swath()
    ds["lat"].values[5] = -9999
    ds["lon"].values[40, :] = np.nan
    found = hsgeo.georeference(ds).compute()
    assert not np.isin(found["model"], [*range(200, 240), *range(1600, 1640)]).any()
    assert_placed(found)
    row = hsgeo.georeference(swath(rows=1)).compute()
    assert (row["quality"] == 0).sum() >= 40
    with pytest.raises(SceneError, match="size"):
        hsgeo.georeference(swath(rows=1, cols=1))
    for broken in (ds.assign_coords(lat=ds["lat"] * np.nan), ds.drop_vars(["lat"])):
        with pytest.raises(SceneError, match=r"place|lie"):
            hsgeo.georeference(broken)


@pytest.mark.parametrize(
    "unknown",
    [
        lambda row, col: (row == 30) & (col == 20),
        lambda row, col: row < 30,
        lambda row, col: col >= 20,
        lambda row, col: row % 2 == 1,
        lambda row, col: np.random.default_rng(1).random(row.shape) < 0.5,
    ],
    ids=["one", "half", "other half", "rows", "at random"],
)
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_pixels_without_place(unknown, method):
    ds = swath()
    gone = unknown(*np.mgrid[:60, :40])
    whole = hsgeo.georeference(ds, resolution=30).compute()["model"]
    for name in ("lat", "lon"):
        ds[name].values[gone] = np.nan
    found = hsgeo.georeference(ds, method=method, resolution=30).compute()
    held = found["model"].values
    assert not gone.ravel()[held[held >= 0]].any()
    part = whole.reindex_like(found).values  # where a pixel with a place lay, it still lies
    assert (held == part)[~gone.ravel()[part] & (part >= 0)].mean() > 0.999
    assert_placed(found, shift=0.2)


@pytest.mark.parametrize("resolution", [None, 30])
def test_pixels_without_neighbours_have_no_size(resolution):
    for lone in (lambda row, col: (row + col) % 2 == 0, lambda row, col: (row == 30) & (col == 20)):
        ds = swath()
        ds["lat"].values[~lone(*np.mgrid[:60, :40])] = np.nan
        with pytest.raises(SceneError, match=r"size of the pixels.*no two neighbours.*Keep the sensor grid"):
            hsgeo.georeference(ds, resolution=resolution)
    ds["lat"].values[:] = np.nan
    with pytest.raises(SceneError, match="no place at all"):
        hsgeo.georeference(ds, resolution=resolution)


def test_wrong_words():
    with pytest.raises(ConfigError, match="nearest"):
        hsgeo.georeference(swath(), method="cubic")
    for grid in ("utn", None, 4):
        with pytest.raises(ConfigError, match="grid"):
            hsgeo.georeference(swath(), grid=grid)
    with pytest.raises(ConfigError, match="wide"):
        hsgeo.georeference(swath(), resolution=-1)
    with pytest.raises(SceneError, match="rasters"):
        hsgeo.georeference(xr.Dataset())


def test_table_and_geolocation_agree():
    ds = swath(angle=17.0)
    by_place = hsgeo.georeference(ds).compute()
    model = by_place["model"].values
    x, y = np.where(model < 0, 0, model % 40 + 1), np.where(model < 0, 0, model // 40 + 1)
    table = with_lookup(ds, by_place.rio.transform()[:6], x, y)
    assert hsgeo.georeference(table, tile=32).compute().equals(by_place)
    smooth = hsgeo.georeference(table, method="bilinear").compute()  # by lat and lon, on the grid of the table
    assert smooth.equals(hsgeo.georeference(ds, method="bilinear").compute())
    with pytest.raises(ConfigError, match="bilinear"):
        hsgeo.georeference(table.drop_vars(["lat", "lon"]), method="bilinear")
    with pytest.raises(ConfigError, match="own cells"):
        hsgeo.georeference(table, resolution=10)
