"""Labelled pixels: every kind gives the same endmembers, fits see the labels, and what cannot be used is said."""

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from rasterio.warp import transform_geom

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.plugin.quality import Quality
from hsgeo.testing.scenes import known_scene
from tests.vector.files import geojson, geopackage

KNOWN = known_scene(height=24, width=30)  # pure patches of 5 x 5 pixels at rows 0, 7, 14 and columns 0, 10, 20
PATCHES = {"m1": (0, 0), "m2": (7, 10), "m3": (14, 20)}
PIXELS = {name: [(top + i, left + j) for i in range(5) for j in range(5)] for name, (top, left) in PATCHES.items()}
CRS = "EPSG:32632"


def at(row, col):
    return 600_000 + 30 * col, 5_200_000 - 30 * row


def square(top, left, side=5.0):
    corners = ((top, left), (top, left + side), (top + side, left + side), (top + side, left), (top, left))
    return {"type": "Polygon", "coordinates": [[at(*corner) for corner in corners]]}


def point(row, col):
    return {"type": "Point", "coordinates": at(row + 0.5, col + 0.5)}


SQUARES = [(name, square(*place)) for name, place in PATCHES.items()]
POINTS = [(name, point(*pixel)) for name, pixels in PIXELS.items() for pixel in pixels]


def table(path, head, rows, separator=","):
    path.write_text("\n".join([head, *(separator.join(map(str, row)) for row in rows)]))
    return path


def raster(none, value):
    out = xr.DataArray(np.full((24, 30), none, object if none == "" else None), dims=("y", "x"))
    for k, name in enumerate(PIXELS):
        for pixel in PIXELS[name]:
            out[pixel] = value(k, name)
    return out


KINDS = {
    "gpkg": lambda path: {"labels": geopackage(path / "a.gpkg", {"plots": SQUARES})},
    "layer": lambda path: {
        "labels": geopackage(path / "a.gpkg", {"roads": POINTS[:1], "plots": POINTS[:30] + SQUARES[1:]}),
        "label_layer": "plots",
    },
    "degrees": lambda path: {
        "labels": geojson(
            path / "a.geojson", [(n, transform_geom(CRS, "OGC:CRS84", g)) for n, g in POINTS], crs=None, field="kind"
        ),
        "label_field": "KIND",
    },
    "xy": lambda path: {
        "labels": table(path / "a.csv", "x;y;name", [(*g["coordinates"], n) for n, g in POINTS], separator=";")
    },
    "rows": lambda path: {
        "labels": table(path / "a.csv", "Class,Row,Col", [(n, *p) for n in PIXELS for p in PIXELS[n]])
    },
    "mapping": lambda path: {"labels": PIXELS},
    "names": lambda path: {"labels": raster("", lambda k, name: name).transpose("x", "y")},
    "numbers": lambda path: {"labels": raster(0, lambda k, name: k + 1)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_labels_gives_the_classes_of_the_scene(kind, tmp_path):
    product = hsgeo.unmix(KNOWN.scene, **KINDS[kind](tmp_path), stages=["fcls"]).load()
    names = ["class-1", "class-2", "class-3"] if kind == "numbers" else ["m1", "m2", "m3"]
    assert product["endmember"].values.tolist() == names
    np.testing.assert_allclose(product["endmembers"], KNOWN.endmembers, atol=1e-3)
    assert np.sqrt(np.square(product["abundance"].values - KNOWN.abundance.values).mean()) < 0.005
    given = json.loads(product.attrs["hsgeo_provenance"])["given"]
    assert (given["by"], given["names"]) == ("labels", names)
    assert [given["classes"][name]["labelled"] for name in names] == [25, 25, 25]
    same = json.loads(hsgeo.unmix(KNOWN.scene, labels=PIXELS, stages=["fcls"]).attrs["hsgeo_provenance"])["given"]
    assert (given["hash"] == same["hash"]) == (kind != "numbers")  # of the pixels, whatever the file


def test_pixels_that_cannot_be_used_are_left_out():
    scene = KNOWN.scene.copy(deep=True)
    scene["spectra"][:, 0, :2] = np.nan  # nodata
    scene["spectra"][3, 0, 2] = np.nan  # partial
    scene["spectra"][:, 0, 3] = 0  # dark
    scene["spectra"][:, 1, :2] *= 3  # as glint
    scene["spectra"][:, 1, 2] = KNOWN.endmembers[1]  # a wrong label
    scene["quality"] = (("y", "x"), np.zeros((24, 30), np.uint16))
    scene["quality"][2, 0] = Quality.CLOUD
    product = hsgeo.unmix(scene, labels=PIXELS, stages=["fcls"])
    np.testing.assert_allclose(product["endmembers"][0], KNOWN.endmembers[0], atol=1e-3)
    used = json.loads(product.attrs["hsgeo_provenance"])["given"]["classes"]["m1"]["used"]
    assert 14 <= used <= 25 - 8


def test_a_library_stage_gets_one_spectrum_a_class():
    state = hsgeo.fit(KNOWN.scene, labels=PIXELS, recipe="mesma")
    assert state["scene"]["library"]["class"].values.tolist() == ["m1", "m2", "m3"]


def test_a_library_stage_keeps_every_spectrum_of_a_class():
    given = {"endmembers": KNOWN.library(variants=2), "classes": ["M3", "m1"]}
    chosen = hsgeo.fit(KNOWN.scene, recipe="mesma", **given)["scene"]["library"]
    assert chosen["class"].values.tolist() == ["M3", "M3", "m1", "m1"]
    assert hsgeo.fit(KNOWN.scene, stages=["fcls"], **given)["scene"]["endmembers"]["endmember"].values.tolist() == [
        "M3",
        "m1",
    ]


def unplaced(scene):
    scene = scene.drop_vars("spatial_ref")
    kept = {key: value for key, value in scene["spectra"].attrs.items() if key != "grid_mapping"}
    return scene.assign(spectra=scene["spectra"].drop_attrs().assign_attrs(kept))


def without_crs():
    return unplaced(KNOWN.scene)


def blank(name):
    scene = KNOWN.scene.copy(deep=True)
    for row, col in PIXELS[name]:
        scene["spectra"][:, row, col] = np.nan
    return scene


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: {"labels": p / "no.gpkg"}, "does not exist"),
        (lambda p: {"labels": table(p / "a.kml", "<kml/>", [])}, "no file of labels"),
        (lambda p: {"labels": table(p / "a.gpkg", "x", [])}, "cannot be read as a vector file"),
        (lambda p: {"labels": geojson(p / "a.geojson", SQUARES), "label_field": "kind"}, "no field 'kind'.*\n?.*class"),
        (
            lambda p: {"labels": geojson(p / "a.geojson", [(1, SQUARES[0][1])], field="n")},
            "which field names the class",
        ),
        (lambda p: {"labels": geopackage(p / "a.gpkg", {"a": SQUARES, "b": SQUARES})}, "several layers.*\n?.*a, b"),
        (lambda p: {"labels": geopackage(p / "a.gpkg", {"a": SQUARES}), "label_layer": "c"}, "no layer 'c'"),
        (lambda p: {"labels": geojson(p / "a.geojson", SQUARES), "label_layer": "c"}, "has no layers"),
        (lambda p: {"labels": geojson(p / "a.geojson", SQUARES, crs="EPSG:32633")}, "no label of a.geojson lies in"),
        (lambda p: {"labels": geojson(p / "a.geojson", SQUARES), "scene": without_crs()}, "no place on the Earth"),
        (lambda p: {"labels": geojson(p / "a.geojson", SQUARES[:1])}, "the one class 'm1'"),
        (lambda p: {"labels": geojson(p / "a.geojson", [*SQUARES[:2], ("hut", square(3, 3.4, 1))])}, "'hut' labels no"),
        (lambda p: {"labels": {"a": [(0, 0)], "b": [(0, 30)]}}, "row 0, column 30 lies outside"),
        (lambda p: {"labels": {"a": [(0, 0.5)], "b": [(1, 1)]}}, "no whole numbers"),
        (lambda p: {"labels": {"a": [(0, 0)], "b": [0]}}, "labels of 'b' are no pixels"),
        (lambda p: {"labels": {"a": [(0, 0)], "b": []}}, "'b' labels no pixel"),
        (lambda p: {"labels": {"a": [(0, 0)]}}, "the one class 'a'"),
        (lambda p: {"labels": PIXELS, "scene": blank("m2")}, "'m2' has 25 labelled pixels, and none"),
        (lambda p: {"labels": raster(0, lambda k, n: k)[1:]}, "24 x 30 pixels"),
        (lambda p: {"labels": raster(0.0, lambda k, n: k + 0.5)}, "no whole numbers"),
        (lambda p: {"labels": 3}, "labels is a int"),
        (lambda p: {"labels": PIXELS, "label_field": "a"}, "labels that are no file"),
        (lambda p: {"label_field": "a"}, "without labels"),
        (lambda p: {"labels": PIXELS, "classes": "a,b"}, "labels together with classes"),
        (lambda p: {"labels": PIXELS, "names_from": "x.sli"}, "names for endmembers that were given"),
        (lambda p: {"labels": table(p / "a.csv", "name,x", [("a", 1)])}, "has the columns name, x"),
        (lambda p: {"labels": table(p / "a.csv", "name,x,y", [("a", 1)])}, "line 2 of"),
        (lambda p: {"labels": table(p / "a.csv", "name,row,col", [("a", 1.5, 2)])}, "no whole numbers"),
    ],
)
def test_what_cannot_be_used_is_said(make, says, tmp_path):
    given = {"scene": KNOWN.scene, **make(tmp_path)}
    with pytest.raises(ConfigError, match=says):
        hsgeo.unmix(given.pop("scene"), stages=["fcls"], **given)


def test_pixels_of_two_classes_are_left_out_and_said(tmp_path):
    said = []
    path = geojson(tmp_path / "a.geojson", [*SQUARES, ("m2", point(0, 0))])
    state = hsgeo.fit(KNOWN.scene, labels=path, stages=["fcls"], notice=said.append)
    assert said == ["1 pixels are labelled with two classes and left out"]
    assert json.loads(state["scene"].attrs["given"])["classes"]["m1"]["labelled"] == 24


LEARNER = '''"""Learns from labels: abundances are what the fit saw of them."""
import numpy as np
import xarray as xr
from hsgeo.plugin import FitNeeds, Needs, StageRecord, VarSpec, hookimpl, scene, tile


class Learner:
    kind = "pixels"

    def __init__(self, options):
        pass

    def needs(self, layout):
        return Needs()

    def outputs(self, layout):
        return {"abundance": VarSpec(("endmember", "y", "x"), sum="free")}

    def fit_needs(self, layout):
        return FitNeeds(kind=self.kind, pixels=4000, patch=20)

    def partial(self, block, state, ctx):
        return self.fit(block, ctx)

    def combine(self, a, b):
        return a + b

    def fit(self, sample, ctx):
        if "seen" in sample:
            return sample[["seen"]]
        if "label" not in sample:
            return xr.Dataset({"seen": ("class", np.zeros(3, "f4"))})
        assert sample["label"].dtype == np.int16
        return xr.Dataset({"seen": ("class", [np.float32((sample["label"] == k).sum()) for k in range(3)])})

    def setup(self, state, device):
        self.seen = state["seen"].values
        return self

    def apply(self, data, ctx):
        assert "label" not in data
        count = data.sizes["pixel"]
        return xr.Dataset({"abundance": (("endmember", "pixel"), np.repeat(self.seen[:, None], count, 1))})

    def close(self):
        pass


class Patches(Learner):
    kind = "patches"


class Sums(Learner):
    kind = "reduce"


@hookimpl
def hsgeo_stages():
    reads = (tile("spectra"), scene("endmembers"), tile("label", optional=True))
    return [
        StageRecord(f"learn-{name}", f"learner:{target}", "learns", reads=reads, writes=(tile("abundance"),))
        for name, target in (("pixels", "Learner"), ("patches", "Patches"), ("sums", "Sums"))
    ]
'''


@pytest.fixture
def learner(tmp_path, monkeypatch):
    from hsgeo.plugin import registry

    (tmp_path / "learner.py").write_text(LEARNER)
    registry.reset()
    registry.registry([str(tmp_path / "learner.py")])
    yield
    registry.reset()


def large():
    """A scene of which a sample is drawn, with few labels."""
    tiny = known_scene(height=24, width=30).scene
    whole = np.tile(tiny["spectra"].values, (1, 12, 10))  # 288 x 300 pixels; 16,384 of them are read
    grid = {"y": np.arange(288.0), "x": np.arange(300.0)}
    coords = dict(tiny.drop_dims(["y", "x"]).coords) | grid
    out = xr.Dataset({"spectra": (("band", "y", "x"), whole, tiny["spectra"].attrs)}, coords)
    return unplaced(out), {
        "a": [(0, 1), (287, 299)],
        "b": [(100, 200), (101, 201), (7, 10)],
        "c": [(287, 0)],
    }


@pytest.mark.parametrize("kind", ["pixels", "patches", "sums"])
def test_fits_see_every_label_and_kernels_none(kind, learner):
    scene, labels = large()
    quiet = {"stages": [f"learn-{kind}"], "options": {"scene.screen": False}, "notice": lambda text: None}
    state = hsgeo.fit(scene, labels=labels, **quiet)
    assert state[f"learn-{kind}"]["seen"].values.tolist() == [2, 3, 1]
    assert state["scene"]["label"].values.tolist() == [0, 1, 1, 1, 2, 0]
    product = hsgeo.unmix(scene, state=state, tile=160, notice=quiet["notice"])
    assert np.unique(product["abundance"][:, 100, ::50]).tolist() == [1, 2, 3]
    library = xr.Dataset({"endmembers": product["endmembers"]})
    without = hsgeo.fit(scene, endmembers=library, **quiet)  # the variable is not there at all
    assert not without[f"learn-{kind}"]["seen"].values.any()


def test_the_sample_of_other_stages_stays_the_same(learner):
    scene, labels = large()
    quiet = {"options": {"scene.screen": False}, "notice": lambda text: None}
    state = hsgeo.fit(scene, labels=labels, stages=["sunsal"], **quiet)
    assert "label" not in state["scene"]  # no stage reads them
    lazy = scene.assign(spectra=(scene["spectra"].dims, da.from_array(scene["spectra"].values), scene["spectra"].attrs))
    again = hsgeo.fit(lazy, labels=labels, stages=["sunsal"], **quiet)
    assert state["scene"].equals(again["scene"])
