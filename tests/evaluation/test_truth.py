"""Truths of every kind: rasters, npz, polygons and points of three formats, stores."""

import json
import sqlite3
import struct

import numpy as np
import pytest
import rasterio

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.evaluation.truth import open_truth
from hsgeo.vector.features import read_features
from tests.evaluation.helpers import LEFT, NAMES, SIDE, TOP, placed, smooth


def at(col, row):
    """Map coordinates of a position in pixels."""
    return LEFT + SIDE * col, TOP - SIDE * row


def box(left, top, right, bottom):
    return [[at(left, top), at(right, top), at(right, bottom), at(left, bottom), at(left, top)]]


# the left third soil, the rest water, but for a tree of half a pixel; and a plot that covers a pixel in part
BOXES = [
    ("Soil", box(0, 0, 6.5, 24)), ("Water", box(6.5, 0, 14, 24)), ("Tree", box(10, 5, 11, 5.5)),
    ("Soil", box(15, 3, 15.4, 4)),
]  # fmt: skip


def geojson(path, geometries, properties, crs="EPSG:32633"):
    features = [
        {"type": "Feature", "geometry": g, "properties": p} for g, p in zip(geometries, properties, strict=True)
    ]
    content = {"type": "FeatureCollection", "features": features}
    if crs:
        content["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(content))
    return path


def boxes_geojson(path):
    return geojson(
        path, [{"type": "Polygon", "coordinates": ring} for _, ring in BOXES], [{"class": name} for name, _ in BOXES]
    )


def boxes_shapefile(path):
    records = []
    for _, rings in BOXES:
        points = rings[0]
        body = struct.pack("<i4d2ii", 5, 0, 0, 0, 0, 1, len(points), 0)
        records.append(body + b"".join(struct.pack("<2d", *p) for p in points))
    data = b"".join(struct.pack(">2i", k + 1, len(r) // 2) + r for k, r in enumerate(records))
    path.write_bytes(struct.pack(">i5ii", 9994, 0, 0, 0, 0, 0, 50 + len(data) // 2) + bytes(72) + data)
    rows = b"".join(b" " + name.encode().ljust(8) + b"%6.2f" % 0.5 for name, _ in BOXES)
    fields = b"class".ljust(11, b"\0") + b"C" + bytes(4) + bytes([8, 0]) + bytes(14)
    fields += b"share".ljust(11, b"\0") + b"N" + bytes(4) + bytes([6, 2]) + bytes(14)
    head = struct.pack("<4BIHH", 3, 120, 1, 1, len(BOXES), 32 + len(fields) + 1, 15) + bytes(20)
    path.with_suffix(".dbf").write_bytes(head + fields + b"\r" + rows)
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_epsg(32633).to_wkt())
    return path


def boxes_geopackage(path):
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE gpkg_geometry_columns (table_name, column_name, geometry_type_name, srs_id, z, m)")
        base.execute("INSERT INTO gpkg_geometry_columns VALUES ('plots', 'geom', 'POLYGON', 32633, 0, 0)")
        base.execute("CREATE TABLE gpkg_spatial_ref_sys (srs_id, organization, organization_coordsys_id, definition)")
        base.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (32633, 'EPSG', 32633, 'wkt')")
        base.execute("CREATE TABLE plots (fid INTEGER, geom BLOB, class TEXT)")
        for k, (name, rings) in enumerate(BOXES):
            ring = b"".join(struct.pack("<2d", *p) for p in rings[0])
            wkb = struct.pack("<BIII", 1, 3, 1, len(rings[0])) + ring
            if k % 2:  # as a multi polygon, which is what most programs write
                wkb = struct.pack("<BII", 1, 6, 1) + wkb
            base.execute("INSERT INTO plots VALUES (?, ?, ?)", (k, b"GP\0\1" + struct.pack("<i", 32633) + wkb, name))
    base.close()
    return path


@pytest.mark.parametrize(
    ("write", "name"),
    [(boxes_geojson, "t.geojson"), (boxes_shapefile, "t.shp"), (boxes_geopackage, "t.gpkg")],
    ids=["geojson", "shapefile", "geopackage"],
)
def test_polygons_become_areas(write, name, tmp_path):
    truth, _ = open_truth(write(tmp_path / name), placed(smooth()))
    assert truth.attrs["convention"] == "independent"
    A = truth["abundance"].sel(endmember=["Soil", "Water", "Tree"])
    assert A.sizes["x"] == 16  # cut to where the polygons are
    np.testing.assert_allclose(A[:, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(A[:, 9, 6], [0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(A[:, 5, 10], [0, 0.5, 0.5], atol=1e-6)
    assert np.isnan(A[:, :, 14]).all()
    assert np.isnan(A[:, 3, 15]).all()  # 40 % of a pixel is not 95 %
    partly, _ = open_truth(tmp_path / name, placed(smooth()), min_cover=0.3)
    np.testing.assert_allclose(partly["abundance"].sel(endmember="Soil")[3, 15], 1)
    found = hsgeo.evaluate(placed(smooth()), tmp_path / name)
    assert found.matching["by"] == "names"
    assert found.pixels["scored"] == 24 * 14


def test_polygons_in_degrees(tmp_path):
    from rasterio.warp import transform_geom

    turned = [transform_geom("EPSG:32633", "OGC:CRS84", {"type": "Polygon", "coordinates": r}) for _, r in BOXES]
    path = geojson(tmp_path / "t.geojson", turned, [{"class": name} for name, _ in BOXES], crs=None)
    here, _ = open_truth(boxes_geojson(tmp_path / "u.geojson"), placed(smooth()))
    there, _ = open_truth(path, placed(smooth()))
    np.testing.assert_allclose(there["abundance"].values[:, :24, :14], here["abundance"].values[:, :24, :14], atol=0.02)


def test_damaged_features_are_left_out_and_said(tmp_path):
    shapes = [{"type": "Polygon", "coordinates": rings} for _, rings in BOXES]
    shapes[0]["coordinates"] = [[(*point, 7.0) for point in ring] for ring in shapes[0]["coordinates"]]  # heights
    bad = [{"type": "Polygon", "coordinates": []}, {"type": "Polygon", "coordinates": [[[float("nan"), 0]] * 4]}]
    path = geojson(tmp_path / "t.geojson", shapes + bad, [{"class": n} for n, _ in BOXES] + [{"class": "Soil"}] * 2)
    here, notes = open_truth(path, placed(smooth()))
    there, _ = open_truth(boxes_geojson(tmp_path / "u.geojson"), placed(smooth()))
    np.testing.assert_array_equal(here["abundance"].values, there["abundance"].values)
    assert "2 damaged features of the truth were left out" in notes


def test_points_with_fractions(tmp_path):
    spots = [at(3.5, 4.5), at(3.6, 4.4), at(9.2, 20.7), at(50, 50)]
    shares = [(0.2, 0.8), (0.4, 0.6), (1.0, 0.0), (0.5, 0.5)]
    path = geojson(
        tmp_path / "p.geojson",
        [{"type": "Point", "coordinates": spot} for spot in spots],
        [{"plot": k, "soil": s, "water": w} for k, (s, w) in enumerate(shares)],
    )
    product = placed(smooth())
    truth, _ = open_truth(path, product)
    assert list(truth["endmember"].values) == ["soil", "water"]
    found = hsgeo.evaluate(product, path)
    assert found.pixels["scored"] == 2
    A = product["abundance"].values
    expected = [A[0, 4, 3] - 0.3, A[2, 4, 3] - 0.7, A[0, 20, 9] - 1.0, A[2, 20, 9] - 0.0]
    assert found.overall["armse"] == pytest.approx(np.sqrt(np.mean(np.square(expected))), rel=1e-5)


def test_berlin_polygons_agree_with_the_areas_others_computed(data_dir):
    """The npz holds areas rasterised at 1 m by somebody else; ours are cut at 3 m."""
    folder = data_dir / "georef" / "enmap_berlin_simulated"
    with np.load(data_dir / "unmixing" / "enmap_berlin_simulated.npz") as held:
        areas, names = np.moveaxis(held["abundances"], 2, 0), [str(n) for n in held["names"]]
    names[-1] = "other"
    with rasterio.open(folder / "fraction_polygon_l3.tif") as shipped:
        crs = shipped.crs
    product = placed(areas, names, left=383472.37, top=5818302.35, crs=crs)
    found = hsgeo.evaluate(product, folder / "LandCov_BerlinUrbanGradient.shp", min_cover=0.999)
    assert found.matching["by"] == "names"
    assert found.pixels["scored"] == 597
    assert found.overall["mae"] < 0.01
    assert max(row["rmse"] for row in found.classes) < 0.02
    raster = hsgeo.evaluate(product, folder / "fraction_polygon_l3.tif", rename={"other": "water"}, min_cover=0.99)
    assert raster.overall["mae"] < 0.016  # what the data's README says of the two
    assert any("multiplied by 0.01" in note for note in raster.notes)


def test_npz_and_its_two_truths(tmp_path):
    A = smooth()
    E = placed(A)["endmembers"].values.T
    both = {
        "abundances": np.moveaxis(A, 0, 2), "endmembers": E, "names": np.array(NAMES),
        "abundances_classic": np.moveaxis(A[::-1], 0, 2), "endmembers_classic": E[:, ::-1],
    }  # fmt: skip
    np.savez(tmp_path / "t.npz", **both)
    first = hsgeo.evaluate(placed(A), tmp_path / "t.npz")
    assert first.overall["armse"] == pytest.approx(0, abs=1e-7)
    assert first.overall["msad_rad"] == pytest.approx(0, abs=1e-6)
    assert any("two truths" in note for note in first.notes)
    second = hsgeo.evaluate(placed(A), tmp_path / "t.npz", convention="zhu_peak_nnls", match="sad")
    assert second.matching["order"] == {"soil": "water", "tree": "tree", "water": "soil"}
    assert second.overall["armse"] == pytest.approx(0, abs=1e-7)


def test_raster_and_product_truths(tmp_path):
    A = smooth()
    product = placed(A)
    percent = product["abundance"].copy(data=np.round(100 * A)).astype("uint8").rio.write_nodata(255)
    percent[:, 0, 0] = 255
    percent.attrs["long_name"] = NAMES
    percent.rio.to_raster(tmp_path / "t.tif")
    found = hsgeo.evaluate(product, tmp_path / "t.tif")
    assert found.overall["armse"] < 0.004
    assert found.pixels["without_truth"] == 1
    product.assign_attrs(hsgeo_status="complete").to_zarr(tmp_path / "p.zarr", zarr_format=2)
    assert hsgeo.evaluate(tmp_path / "p.zarr", tmp_path / "p.zarr").overall["armse"] == 0
    product[["abundance"]].to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    assert hsgeo.evaluate(product, tmp_path / "p.nc").overall["armse"] == 0


def broken_shapefile(path):
    boxes_shapefile(path / "t.shp")
    (path / "t.shp").write_bytes((path / "t.shp").read_bytes()[:-9])
    return path / "t.shp"


def lonely_shapefile(path):
    boxes_shapefile(path / "t.shp")
    (path / "t.dbf").unlink()
    return path / "t.shp"


def text(path, name, content="no such thing"):
    (path / name).write_text(content)
    return path / name


def lines(path):
    return geojson(path / "t.geojson", [{"type": "LineString", "coordinates": [at(0, 0), at(5, 5)]}], [{"class": "a"}])


def elsewhere(path):
    rings = [[(x + 1e6, y) for x, y in ring] for ring in BOXES[0][1]]
    return geojson(path / "t.geojson", [{"type": "Polygon", "coordinates": rings}], [{"class": "soil"}])


def unnamed(path):
    shape = {"type": "Polygon", "coordinates": BOXES[0][1]}
    return geojson(path / "t.geojson", [shape], [{"a": "x", "b": "y"}])


def archive(path, **arrays):
    np.savez(path / "t.npz", **arrays)
    return path / "t.npz"


def sums_to_37(path):
    raster = placed(smooth())["abundance"].copy(data=np.full((3, 24, 20), 12)).astype("uint8")
    raster.rio.to_raster(path / "t.tif")
    return path / "t.tif"


def labels(path):
    raster = placed(smooth())["abundance"][:1]
    raster.copy(data=np.arange(480).reshape(1, 24, 20) % 6).astype("float32").rio.to_raster(path / "t.tif")
    return path / "t.tif"


def folder(path):
    (path / "t").mkdir()
    return path / "t"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path / "nowhere.tif", "does not exist"),
        (broken_shapefile, "cut short"),
        (lonely_shapefile, "no .dbf"),
        (lambda path: text(path, "t.geojson"), "cannot be read"),
        (lambda path: text(path, "t.json", "[1]"), "GeoJSON"),
        (lambda path: text(path, "t.gpkg"), "cannot be read"),
        (lambda path: text(path, "t.tif"), "raster"),
        (lambda path: text(path, "t.npz"), "cannot be read"),
        (lambda path: text(path, "t.nc"), "cannot be opened"),
        (lambda path: archive(path, a=np.ones(3)), "abundances"),
        (lambda path: archive(path, abundances=np.ones((2, 2, 2)), names=np.array(["a", "a"])), "names"),
        (lambda path: archive(path, abundances=np.ones((7, 9, 3)) / 3), "no place on the Earth"),
        (lines, "LineString"),
        (elsewhere, "no feature of the truth covers"),
        (unnamed, "--class-field"),
        (sums_to_37, "--truth-scale"),
        (labels, "values up to 5 in one band: class labels"),
        (folder, "no Zarr store"),
        (lambda path: text(path, "t.sli"), "spectral library"),
        (lambda path: archive(path, abundances=50 * np.ones((24, 20, 3))), "--truth-scale"),
        (lambda path: archive(path, abundances=-0.1 * np.ones((24, 20, 3))), "numbers from -0.1"),
    ],
)
def test_what_is_no_truth_is_said(make, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        hsgeo.evaluate(placed(smooth()), make(tmp_path))


def test_a_pickled_npz_is_not_executed(tmp_path):
    np.savez(tmp_path / "t.npz", abundances=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ConfigError, match="cannot be read"):
        hsgeo.evaluate(placed(smooth()), tmp_path / "t.npz")


def test_features_are_read_in_order(tmp_path):
    found = read_features(boxes_shapefile(tmp_path / "t.shp"))
    assert [row["class"] for row in found.properties] == [name for name, _ in BOXES]
    assert found.properties[0]["share"] == 0.5
    assert found.fields == ["class", "share"]


def test_pixels_that_the_classes_of_a_raster_do_not_fill_are_left_out(tmp_path):
    product = placed(smooth())
    maps = product["abundance"].copy()
    maps[:, :4] *= 0.5
    maps.attrs["long_name"] = NAMES
    maps.rio.to_raster(tmp_path / "t.tif")
    found = hsgeo.evaluate(product, tmp_path / "t.tif")
    assert found.pixels["scored"] == 400
    assert any(note.startswith("80 of 480 pixels") for note in found.notes)
    assert hsgeo.evaluate(product, tmp_path / "t.tif", min_cover=0).pixels["scored"] == 480
    maps.attrs["long_name"] = "tree"
    maps[1:2].rio.to_raster(tmp_path / "tree.tif")  # one class: a sum says nothing
    assert hsgeo.evaluate(product, tmp_path / "tree.tif").pixels["scored"] == 480
