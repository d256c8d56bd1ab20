"""The sensor tables say what the sensors are known to have, and the lookup forgives no nonsense."""

import csv

import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import registry
from hsgeo.scene import default_good, sensor, sensors

KNOWN = {  # bands, first and last centre (nm), detectors
    "prisma": (234, 402.5, 2496.9, {"vnir": 63, "swir": 171}),
    "emit": (285, 381.0, 2492.9, {"vswir": 285}),
    "desis": (235, 402.0, 999.5, {"vnir": 235}),
    "enmap": (224, 418.24, 2445.53, {"vnir": 91, "swir": 133}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_tables(name):
    bands, first, last, detectors = KNOWN[name]
    found = sensor(name.upper())
    assert found.bands == bands
    assert found.wavelength[[0, -1]] == pytest.approx([first, last])
    assert {label: int((found.detector == label).sum()) for label in detectors} == detectors
    assert (np.diff(found.wavelength) >= 0).all()
    assert ((found.fwhm > 2) & (found.fwhm < 20)).all()
    for label in detectors:  # no detector measures one wavelength twice
        assert (np.diff(found.wavelength[found.detector == label]) > 0).all()
    assert found.source


def test_bad_bands():
    emit = sensor("emit")
    assert emit.good.sum() == 244  # as L2A products flag
    prisma = sensor("prisma")
    assert (prisma.good == default_good(prisma.wavelength)).all()


def test_default_rule():
    centres = [1339.9, 1340, 1460, 1460.1, 1789.9, 1790, 1970, 1970.1, 2450, 2450.1]
    assert default_good(centres).tolist() == [True, False, False, True, True, False, False, True, True, False]


@pytest.mark.parametrize("name", KNOWN)
def test_agrees_with_the_published_table(name, data_dir):
    with (data_dir / "sensors" / f"{name}_bands.csv").open() as file:
        rows = np.array([[float(row["wavelength"]), float(row["fwhm"])] for row in csv.DictReader(file)])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    found = sensor(name)
    assert np.allclose(found.wavelength, rows[:, 0], atol=0.051)
    assert np.allclose(found.fwhm, rows[:, 1], atol=0.051)


def test_lookup():
    assert set(KNOWN) <= set(sensors())
    with pytest.raises(ConfigError, match=r"did you mean 'prisma'\?.*emit"):
        sensor("prism")
    kinds = {(record.kind, record.package) for record in registry().catalogs}
    assert {("sensors", "hsgeo_catalogs"), ("recipes", "hsgeo_catalogs")} <= kinds


def test_a_malformed_file_is_named(monkeypatch, tmp_path):
    from hsgeo.scene import catalog

    bad = tmp_path / "odd.yaml"
    bad.write_text("title: odd\nsource: me\ndetectors: {a: {wavelength: [1, 2], fwhm: [1]}}\n")
    monkeypatch.setattr(catalog, "_files", lambda: {"odd": bad})
    with pytest.raises(ConfigError, match=r"odd\.yaml is malformed"):
        sensor("odd")
