"""The COG writer: valid COGs for GIS, in bounded memory, resumable."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import rioxarray
from hsgeo_products.cog_writer import CogWriter
from hsgeo_products.config import CogOptions
from rasterio.windows import Window

from hsgeo.errors import ProductError
from hsgeo.plugin.registry import registry
from hsgeo.product.opening import open_product
from hsgeo.product.writing import choose_writer
from tests.product.helpers import NAMES, NORTH_UP, ROTATED, make_product, regions, write_all

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels(path):
    with rasterio.open(path) as file:
        return file.read()


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
@pytest.mark.parametrize("compress", ["zstd", "deflate"])
def test_gis_sees_place_names_and_nodata(tmp_path, transform, compress):
    from rio_cogeo.cogeo import cog_validate

    path = tmp_path / "abund.tif"
    template, values = make_product(600, 530, transform=transform)
    writer = CogWriter(CogOptions(compress=compress, blocksize=256))
    write_all(writer, template, values, path, (256, 256))
    names = ["abund", "abund_abundance_quantile", "abund_model", "abund_quality", "abund_rmse"]
    assert listing(tmp_path) == sorted(["abund_endmembers.csv", *(f"{name}.tif" for name in names)])
    for name in names:
        valid, errors, warned = cog_validate(tmp_path / f"{name}.tif")
        assert (valid, errors, warned) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.crs == template.rio.crs
        assert file.transform == transform
        assert file.descriptions == tuple(NAMES)
        assert np.isnan(file.nodata)
        assert file.overviews(1)
        np.testing.assert_array_equal(file.read(), values["abundance"])
        assert file.tags()["hsgeo_run_id"] == "run-1"
        # overviews keep the sum
        total = file.read(out_shape=(3, 300, 265)).sum(0)
        assert np.nanmax(np.abs(total - 1)) < 1e-5
    with rasterio.open(tmp_path / "abund_quality.tif") as file:
        assert file.dtypes == ("uint16",)
        assert file.nodata is None  # 0 is usable
        np.testing.assert_array_equal(file.read(1), values["quality"])
    with rasterio.open(tmp_path / "abund_abundance_quantile.tif") as file:
        assert file.descriptions[3] == f"quantile 0.95 {NAMES[0]}"
        np.testing.assert_array_equal(file.read(4), values["abundance"][0])
    with rioxarray.open_rasterio(path) as opened:
        assert opened.rio.crs == template.rio.crs
        assert opened.rio.transform() == transform


def test_spectra_are_beside_it(tmp_path):
    template, values = make_product()
    write_all(CogWriter(), template, values, tmp_path / "abund.tif")
    rows = list(csv.DictReader((tmp_path / "abund_endmembers.csv").read_text().splitlines()))
    assert [float(row["wavelength"]) for row in rows] == list(template["wavelength"].values)
    assert [row["good"] for row in rows] == ["1", "1", "1", "0", "1"]
    assert rows[3]["soil"] == ""
    assert [np.float32(row["Schnee"] or "nan") for row in rows] == pytest.approx(
        list(template["endmembers"].sel(endmember="Schnee").values), nan_ok=True, abs=0
    )


def test_resumed_equals_undisturbed(tmp_path):
    template, values = make_product(40, 36)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_all(CogWriter(), template, values, tmp_path / "a" / "p.tif", (16, 16))
    path = tmp_path / "b" / "p.tif"
    write_all(CogWriter(), template, values, path, (16, 16), only=4)
    assert not path.exists()
    assert all(".partial." in name for name in listing(path.parent))
    with (path.parent / "p.tif.partial.done").open("a") as file:
        file.write("\n32 40 0")  # a kill in the middle of a line
    with pytest.raises(ProductError, match="--resume"):
        write_all(CogWriter(), template, values, path, (16, 16))
    with pytest.raises(ProductError, match="run run-1, this is run other"):
        write_all(CogWriter(), make_product(40, 36, run="other")[0], values, path, (16, 16), resume=True)
    with pytest.raises(ProductError, match="--tile 16"):
        write_all(CogWriter(), template, values, path, (8, 8), resume=True)
    _, redone = write_all(CogWriter(), template, values, path, (16, 16), resume=True)
    assert redone == 9 - 4
    assert listing(tmp_path / "a") == listing(tmp_path / "b")
    for name in listing(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with pytest.raises(ProductError, match="nothing to resume"):
        write_all(CogWriter(), template, values, path, (16, 16), resume=True)


def test_kill_loses_finished_tiles_never(tmp_path):
    code = (
        "import os, sys, pathlib\n"
        "from hsgeo_products.cog_writer import CogWriter\n"
        "from tests.product.helpers import make_product, regions\n"
        "t, v = make_product(64, 48)\n"
        "s = CogWriter().create(t, pathlib.Path(sys.argv[1]), state={}, tile=(16, 16), overwrite=False, resume=False)\n"
        "for r, c in regions(64, 48, (16, 16))[:7]: s.write((r, c), v.isel(y=r, x=c))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "p.tif"
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    template, values = make_product(64, 48)
    _, redone = write_all(CogWriter(), template, values, path, (16, 16), resume=True)
    assert redone == 12 - 7
    np.testing.assert_array_equal(pixels(path), values["abundance"])


def test_overwriting_keeps_the_old_until_the_end(tmp_path):
    template, values = make_product()
    path = tmp_path / "p.tif"
    write_all(CogWriter(), template, values, path)
    before = {name: (tmp_path / name).read_bytes() for name in listing(tmp_path)}
    with pytest.raises(ProductError, match="exists"):
        write_all(CogWriter(), template, values, path)
    other, other_values = make_product(8, 8, extra=False, run="run-2")
    write_all(CogWriter(), other, other_values, path, only=2, overwrite=True)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    write_all(CogWriter(), other, other_values, path, resume=True)
    # the new product has no model and no quantiles: those of the old one must not stay beside it
    assert listing(tmp_path) == ["p.tif", "p_endmembers.csv", "p_quality.tif", "p_rmse.tif"]
    np.testing.assert_array_equal(pixels(path), other_values["abundance"])


def test_failures_leave_nothing(tmp_path):
    template, values = make_product()
    with pytest.raises(ProductError, match="cannot be written"):
        write_all(CogWriter(), template, values, tmp_path / "missing" / "p.tif")
    odd = template.assign(model=template["model"].astype("complex64").astype("O"))
    with pytest.raises((TypeError, ValueError, KeyError)):
        write_all(CogWriter(), odd, values, tmp_path / "p.tif")
    assert listing(tmp_path) == []


def test_a_cog_that_does_not_hold_what_was_written_is_refused(tmp_path, monkeypatch):
    template, values = make_product()
    sink, _ = write_all(CogWriter(), template, values, tmp_path / "p.tif", only=4)
    copy = rasterio.shutil.copy

    def empties(source, target, **options):
        copy(source, target, **options)
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
            file.write(np.full((file.count, *file.shape), np.nan, file.dtypes[0]), window=Window(0, 0, 5, 7))

    monkeypatch.setattr(rasterio.shutil, "copy", empties)
    with pytest.raises(ProductError, match="does not hold what was written"):
        sink.finish()
    assert not (tmp_path / "p.tif").exists()
    monkeypatch.undo()
    write_all(CogWriter(), template, values, tmp_path / "p.tif", resume=True)


def test_misaligned_writes_are_refused_and_threads_lose_nothing(tmp_path):
    template, values = make_product(90, 70)
    sink = CogWriter().create(template, tmp_path / "p.tif", state={}, tile=(16, 16), overwrite=False, resume=False)
    with pytest.raises(ProductError, match="part of a chunk"):
        sink.write((slice(0, 8), slice(0, 16)), values.isel(y=slice(8), x=slice(16)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda r: sink.write(r, values.isel(y=r[0], x=r[1])), regions(90, 70, (16, 16))))
    facts = json.loads((tmp_path / "p.tif.partial.json").read_text())
    assert facts["tiles"] == len(sink.done()) == 30
    sink.finish()
    np.testing.assert_array_equal(pixels(tmp_path / "p.tif"), values["abundance"])
    np.testing.assert_array_equal(pixels(tmp_path / "p_model.tif")[0], values["model"])


def test_memory_does_not_grow_with_the_scene(tmp_path):
    code = (
        "import pathlib, resource, sys\n"
        "import dask.array as da, numpy as np, xarray as xr\n"
        "from hsgeo.product.template import assemble\n"
        "from hsgeo_products.cog_writer import CogWriter\n"
        "from hsgeo_products.config import CogOptions\n"
        "from tests.product.helpers import make_fixed, make_scene, regions\n"
        "n = int(sys.argv[2])\n"
        "dims = ('endmember', 'y', 'x')\n"
        "A = xr.DataArray(da.zeros((3, n, n), chunks=(3, 256, 256), dtype='f4'), dims=dims)\n"
        "t = assemble(make_scene(n, n), {'abundance': A}, make_fixed(), attrs={})\n"
        "s = CogWriter(CogOptions(cache=16)).create(\n"
        "    t, pathlib.Path(sys.argv[1]), state={}, tile=(256, 256), overwrite=False, resume=False)\n"
        "rng = np.random.default_rng(0)\n"
        "for r, c in regions(n, n, (256, 256)):\n"
        "    v = rng.random((3, r.stop - r.start, c.stop - c.start), dtype='f4')\n"
        "    s.write((r, c), xr.Dataset({'abundance': (dims, v)}))\n"
        "s.finish()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    small, large = (
        float(
            subprocess.run(
                [sys.executable, "-c", code, str(tmp_path / f"{n}.tif"), str(n)],
                check=True, capture_output=True, text=True,
            ).stdout
        )
        for n in (256, 2816)
    )  # fmt: skip
    written = 3 * 4 * 2816**2 / 2**20
    assert large - small < 0.6 * written, f"{small:.0f} -> {large:.0f} MiB for {written:.0f} MiB written"


FULL = """
import pathlib, resource, sys
from hsgeo.plugin import ProductError
from hsgeo.plugin.registry import registry
from hsgeo.product.writing import choose_writer
from tests.product.helpers import make_product, regions

path, when = pathlib.Path(sys.argv[1]), sys.argv[2]
template, values = make_product(64, 48)
writer = registry().load(choose_writer(path))()
def full(now):  # a limit stands for a full disk
    if now == when:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    full("create")
    sink = writer.create(template, path, state={}, tile=(16, 16), overwrite=False, resume=False)
    for number, (rows, cols) in enumerate(regions(64, 48, (16, 16))):
        full(f"tile {number}")
        sink.write((rows, cols), values.isel(y=rows, x=cols))
    full("finish")
    sink.finish()
except ProductError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize(
    ("name", "when"),
    [("p.tif", "create"), ("p.tif", "tile 5"), ("p.tif", "finish"), ("p.zarr", "tile 5"), ("p.zarr", "finish")],
)
def test_a_full_disk_is_told_and_another_run_goes_on(tmp_path, name, when):
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", FULL, path, when], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "with room" in done.stdout
    if when == "create":
        assert not listing(tmp_path)
        return
    template, values = make_product(64, 48)
    writer = registry().load(choose_writer(path))()
    _, redone = write_all(writer, template, values, path, (16, 16), resume=True)
    assert redone == (12 - 5 if when == "tile 5" else 0)
    np.testing.assert_array_equal(open_product(path)["abundance"].values, values["abundance"])


def test_resuming_on_a_damaged_file_says_to_begin_anew(tmp_path):
    template, values = make_product(64, 48)
    path = tmp_path / "p.tif"
    write_all(CogWriter(), template, values, path, (16, 16), only=4)
    (tmp_path / "p.tif.partial.rmse.tif").write_bytes(b"")
    with pytest.raises(ProductError, match="--overwrite"):
        write_all(CogWriter(), template, values, path, (16, 16), resume=True)
    write_all(CogWriter(), template, values, path, (16, 16), overwrite=True)
