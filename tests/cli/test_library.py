"""``hsgeo library`` and names from a library: jobs of the command line, outputs read back."""

import json

import numpy as np
import pytest
import rasterio

import hsgeo
from hsgeo.cli import main
from hsgeo.product.convention import check_product
from hsgeo.scene.catalog import sensor
from hsgeo.spectra.library import read_library, resample_library
from tests.scenes import endmembers, make_scene, save

FINE = np.arange(400.0, 2521.0, 5.0)
ROWS = (("oak", "tree"), ("loam", "soil"), ("pond", "water"), ("brick", "roof"), ("brick", "roof"))


def run(*args, code=0):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    save(make_scene(40, 36), folder / "scene.zarr")
    lines = ["name,class,level_2," + ",".join(f"{w:g}" for w in FINE)]
    for (name, group), values in zip(ROWS, endmembers(5, FINE), strict=True):
        lines.append(f"{name},{group},other {group}," + ",".join(f"{v:.6f}" for v in values))
    (folder / "lib.csv").write_text("\n".join(lines))
    return folder


def test_info(folder, tmp_path, capsys):
    run("library", "info", folder / "lib.csv", "--plot", tmp_path / "lib.png")
    text = capsys.readouterr().out
    for said in ("roof 2, tree 1", "400-2520 nm, every 5 nm", "brick 2", "unknown", "level_2 (4)"):
        assert said in text
    assert (tmp_path / "lib.png").read_bytes()[:4] == b"\x89PNG"
    run("library", "info", folder / "lib.csv", "--json", "--class-level", "2", "--drop", "b*")
    facts = json.loads(capsys.readouterr().out)
    assert facts["classes"] == {"other tree": 1, "other soil": 1, "other water": 1}
    assert (facts["spectra"], facts["bands"], facts["same_name"]) == (3, FINE.size, {})


def test_info_of_real_libraries(data_dir, capsys):
    run("library", "info", data_dir / "libraries" / "roberts2017_urban.sli", "--json", "--class-level", "level_2")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["spectra"], facts["scale"], facts["gaps"]) == (3725, 10_000, [])
    assert facts["classes"]["GV"] == 1471
    assert [level for level in facts["levels"] if level.startswith("level")] == [f"level_{i}" for i in range(1, 8)]
    assert len(facts["same_spectrum"]) == 13
    assert [round(low) for low, _ in facts["bad"]] == [366, 928, 1121, 1323, 1812, 2447]
    run("library", "info", data_dir / "libraries" / "library_berlin.sli", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert [[round(w) for w in gap] for gap in facts["gaps"]] == [[1323, 1522], [1783, 2044]]
    assert facts["fwhm"] == pytest.approx([5.8, 9.7, 14.4])


def test_convert_and_resample(folder, tmp_path, capsys):
    run("library", "convert", folder / "lib.csv", tmp_path / "a.sli", "--select", "[lop]*")
    table = (tmp_path / "a.csv").read_text().splitlines()
    assert table[:2] == ["spectra names,class,level_2", "oak,tree,other tree"]
    for target in ("prisma", folder / "scene.zarr", tmp_path / "a.sli"):
        run("library", "resample", tmp_path / "a.sli", "--to", target, "--out", tmp_path / "b.zarr", "--overwrite")
        found = read_library(tmp_path / "b.zarr")
        assert sorted(found["name"].values) == ["loam", "oak", "pond"]
        to = sensor("prisma") if target == "prisma" else None
        if to is not None:
            np.testing.assert_array_equal(found["wavelength"].values, to.wavelength)
            np.testing.assert_array_equal(found["fwhm"].values, to.fwhm)
            expected = endmembers(3, to.wavelength)[0]
            own = found["spectra"].values[found["name"].values.tolist().index("oak")]
            np.testing.assert_allclose(own[to.wavelength > 800], expected[to.wavelength > 800], atol=1e-3)
    capsys.readouterr()


def test_resample_to_a_table_of_bands(folder, tmp_path, data_dir):
    (tmp_path / "t.csv").write_text("band,centre (um),FWHM,good,detector\n1,0.65,0.01,1,v\n2,0.85,0,0,v\n")
    run("library", "resample", folder / "lib.csv", "--to", tmp_path / "t.csv", "--out", tmp_path / "t.zarr")
    found = read_library(tmp_path / "t.zarr")
    np.testing.assert_allclose(found["wavelength"].values, [650, 850])
    np.testing.assert_allclose(found["fwhm"].values, [10, np.nan])
    assert found["good"].values.tolist() == [True, False]
    direct = resample_library(read_library(folder / "lib.csv"), np.array([650.0, 850]), np.array([10, np.nan]))
    np.testing.assert_allclose(found["spectra"].values, direct["spectra"].values, rtol=1e-5)
    run("library", "resample", folder / "lib.csv", "--to", data_dir / "sensors" / "enmap_bands.csv", "--out",
        tmp_path / "e.zarr")  # fmt: skip
    assert read_library(tmp_path / "e.zarr")["wavelength"].values[0] == pytest.approx(418.24)


def test_bands_that_a_library_does_not_cover(folder, tmp_path, capsys):
    lines = (folder / "lib.csv").read_text().splitlines()
    keep = [0, 1, 2, *(i + 3 for i, w in enumerate(FINE) if 500 < w < 2300)]
    (tmp_path / "short.csv").write_text("\n".join(",".join(line.split(",")[i] for i in keep) for line in lines))
    run("library", "resample", tmp_path / "short.csv", "--to", "EnMAP", "--out", tmp_path / "s.sli")
    said = " ".join(capsys.readouterr().err.split())
    assert "of the 224 bands of enmap 39 are covered by no spectrum (418-506, 2298-2446 nm): NaN there" in said
    found = read_library(tmp_path / "s.sli")
    outside = (found["wavelength"].values < 500) | (found["wavelength"].values > 2300)
    assert np.isnan(found["spectra"].values[:, outside]).all()
    assert not found["good"].values[outside].any()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("info", "nowhere.sli"), "does not exist"),
        (("info", "{lib}", "--class-level", "9"), "no class level"),
        (("convert", "{lib}", "{out}/a.docx"), "no library format has the suffix .docx"),
        (("convert", "{lib}", "{out}/no/a.sli"), "does not exist"),
        (("convert", "{lib}", "{lib}", "--overwrite"), "is the input"),
        (("convert", "{lib}", "{dir}/lib.sli", "--overwrite"), "is the input"),  # its table would replace lib.csv
        (("resample", "{lib}", "--to", "prizma", "--out", "{out}/a.sli"), "no sensor called 'prizma'"),
        (("resample", "{lib}", "--to", "{out}/text.txt", "--out", "{out}/a.sli"), "no library and no scene"),
        (("resample", "{out}/coarse.csv", "--to", "prisma", "--out", "{out}/a.sli"), "times as coarse"),
    ],
)
def test_errors_leave_nothing(folder, tmp_path, capsys, args, says):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "coarse.csv").write_text("wavelength,a\n500,0.2\n800,0.3\n1100,0.4\n1400,0.4\n")
    before = sorted(tmp_path.iterdir()), sorted(folder.iterdir())
    known = {"lib": folder / "lib.csv", "dir": folder, "out": tmp_path}
    run("library", *(arg.format(**known) for arg in args), code=2)
    assert says in " ".join(capsys.readouterr().err.split())
    assert (sorted(tmp_path.iterdir()), sorted(folder.iterdir())) == before


def test_a_coarse_library_gives_a_notice(tmp_path, capsys):
    w = np.arange(400.0, 2500, 40)
    (tmp_path / "c.csv").write_text("wavelength,a\n" + "\n".join(f"{x:g},{0.2 + x / 1e4:g}" for x in w))
    run("library", "resample", tmp_path / "c.csv", "--to", "prisma", "--out", tmp_path / "o.nc")
    assert "times as coarse as the sensor" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".zarr", ".tif"])
def test_unmix_names_what_it_finds_and_rerun_and_state_keep_it(folder, tmp_path, capsys, suffix):
    first, again = tmp_path / f"n{suffix}", tmp_path / f"r{suffix}"
    unmix = ("unmix", "--input", folder / "scene.zarr", "--count", 3)
    run(*unmix, "--out", first, "--name-from", folder / "lib.csv")
    assert "rad from oak" in capsys.readouterr().err
    product = hsgeo.open_product(first)
    check_product(product, values=True)
    assert sorted(product["endmember"].values) == ["soil", "tree", "water"]
    assert (product["name_sad"].values < 0.01).all()
    by = {str(n): str(m) for n, m in zip(product["endmember"].values, product["name_nearest"].values, strict=True)}
    assert by == {"soil": "loam", "tree": "oak", "water": "pond"}
    run(*unmix, "--out", tmp_path / f"plain{suffix}", "--quiet")
    plain = hsgeo.open_product(tmp_path / f"plain{suffix}")
    np.testing.assert_array_equal(plain["abundance"].values, product["abundance"].values)  # names change no number
    assert plain.attrs["hsgeo_run_id"] != product.attrs["hsgeo_run_id"]
    run("rerun", first, "--out", again, "--quiet")
    rerun = hsgeo.open_product(again)
    assert rerun.attrs["hsgeo_run_id"] == product.attrs["hsgeo_run_id"]
    assert rerun["abundance"].equals(product["abundance"])
    if suffix == ".tif":
        with rasterio.open(first) as file:
            assert set(file.descriptions) == {"soil", "tree", "water"}
    else:
        run("unmix", "--input", folder / "scene.zarr", "--state", first, "--out", tmp_path / "s.zarr", "--quiet")
        assert hsgeo.open_product(tmp_path / "s.zarr")["endmember"].equals(product["endmember"])
    capsys.readouterr()


def test_rerun_wants_the_library_that_gave_the_names(folder, tmp_path, capsys):
    library = tmp_path / "own.csv"
    library.write_text((folder / "lib.csv").read_text())
    run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "n.zarr", "--count", 3, "--quiet",
        "--name-from", library, "--name-by", "name")  # fmt: skip
    library.write_text((folder / "lib.csv").read_text().replace("pond", "lake"))
    run("rerun", tmp_path / "n.zarr", "--out", tmp_path / "r.zarr", "--quiet", code=2)
    assert "is not the one that the names were taken from" in capsys.readouterr().err
    library.unlink()
    run("rerun", tmp_path / "n.zarr", "--out", tmp_path / "r.zarr", "--quiet", code=2)
    assert "is no longer at" in capsys.readouterr().err
    run("library", "convert", folder / "lib.csv", tmp_path / "moved.sli")  # the same library in another format
    run("rerun", tmp_path / "n.zarr", "--out", tmp_path / "r.zarr", "--quiet", "--name-from", tmp_path / "moved.sli")
    assert sorted(hsgeo.open_product(tmp_path / "r.zarr")["endmember"].values) == ["loam", "oak", "pond"]
    for wrong in (("--endmembers", folder / "lib.csv"), ("--state", tmp_path / "n.zarr")):
        run("unmix", "--input", folder / "scene.zarr", "--out", tmp_path / "w.zarr", "--name-from", folder / "lib.csv",
            *wrong, code=2)  # fmt: skip
