"""What `describe` says where nothing of it is in the file: the extent in degrees, whose word the bad bands are."""

import json
import sys

import numpy as np
import pytest
from hsgeo_sensors.prisma.swath_writer import write_prisma_swath

import hsgeo
from hsgeo.api import describe_scene
from hsgeo.cli import main
from hsgeo.scene import sensor
from hsgeo.spectra.absorption import default_good
from tests.api.test_subset import _rotated_scene, _swath_scene
from tests.scenes import make_scene


def _fiji():
    """A swath that crosses the antimeridian."""
    return _swath_scene(centre=(817_800.0, 8_006_000.0), epsg=32760, angle=0.0)


@pytest.mark.parametrize(
    "make",
    [make_scene, _rotated_scene, _swath_scene, _fiji],
    ids=["map", "turned", "swath", "fiji"],
)
def test_the_extent_is_a_box_that_subset_takes(make):
    scene = make()
    west, south, east, north = said = describe_scene(scene)["extent"]
    assert hsgeo.subset(scene, bbox=said).sizes == scene.sizes
    wide = (east - west) % 360
    assert 0 < wide < 0.02
    assert (west > east) == (make is _fiji)
    away = (west - 1.2 * wide, south, east - 1.2 * wide, north)  # pixels reach half their size beyond their centres
    with pytest.raises(hsgeo.errors.ConfigError, match="holds no pixel"):
        hsgeo.subset(scene, bbox=[(v + 180) % 360 - 180 if k in (0, 2) else v for k, v in enumerate(away)])


def test_the_extent_of_a_large_swath_is_that_of_some_rows(monkeypatch):
    scene = _swath_scene(240, 20)
    scene["lat"][3, 4] = scene["lon"][3, 4] = -9999.0
    whole = describe_scene(scene)["extent"]
    monkeypatch.setattr(sys.modules["hsgeo.api.describe"], "_WHOLE", 100)  # its name is that of a function, too
    assert describe_scene(scene)["extent"] == pytest.approx(whole, abs=1e-12)
    assert whole[1] > 40


def test_whose_word_the_bad_bands_are():
    scene = make_scene()
    rule = default_good(scene["wavelength"].values)
    more, other = rule.copy(), np.ones(rule.size, bool)
    more[:3] = other[[0, -1]] = False
    for good, by, ranges in ((rule, "the default rule", 2), (more, "the file: 3 more", 3), (other, "in place", 2)):
        said = describe_scene(scene.assign_coords(good=("band", good)))
        assert by in said["bad_bands_source"]
        assert len(said["bad_wavelengths"]) == ranges
        wavelength = scene["wavelength"].values
        inside = np.any([(wavelength >= low) & (wavelength <= high) for low, high in said["bad_wavelengths"]], axis=0)
        assert np.array_equal(inside, ~good)


def test_which_way_a_grid_is_turned():
    scene = _rotated_scene()
    assert describe_scene(scene)["rotated"].startswith("25 degrees counter-clockwise")
    a, b, c, d, e, f = scene.rio.transform()[:6]
    scene["spatial_ref"].attrs["GeoTransform"] = f"{c} {a} {-b} {f} {-d} {e}"
    assert describe_scene(scene)["rotated"].startswith("25 degrees clockwise")


def test_on_the_command_line(tmp_path, capsys):
    bands = sensor("prisma")
    path = write_prisma_swath(
        tmp_path / "PRS_L1_STD_OFFL_20210621101214_20210621101218_0001.he5",
        np.full((bands.bands, 12, 15), 20.0, np.float32),
        level="1",
        wavelength=bands.wavelength,
        fwhm=bands.fwhm,
        detector=bands.detector,
    )

    def info(*args, code=0):
        with pytest.raises(SystemExit) as done:
            main(["info", *map(str, args)])
        assert done.value.code == code
        return capsys.readouterr()

    counts = []
    for overlap in ("swir", "both"):
        found = json.loads(info(path, "--json", "-o", f"reader.overlap={overlap}").out)
        counts.append(found["size"]["band"])
        assert found["next"].endswith(f"-o reader.overlap={overlap} -o scene.radiance=true")
    assert counts[0] < counts[1]
    lines = info(path).out.splitlines()
    assert len(lines) == len(found) + 1  # a fact is a line, however long
    facts = {line[:18].strip(): line[18:] for line in lines[1:]}
    assert facts["time"].endswith(" UTC")
    assert "." not in facts["time"]
    assert facts["wavelength"].endswith(" nm")
    assert facts["uncompressed"].endswith(" kB")
    assert facts["radiance"].startswith("unmixing needs -o scene.radiance=true")
    assert "quality" in facts
    assert "True" not in "".join(facts.values())
    assert "reader.key=value" in info(path, "-o", "overlap=both", code=2).err
    said = info(tmp_path, code=2).err
    assert f"Give {path}" in said
    assert len(said) - len(str(tmp_path)) * 2 < 300
