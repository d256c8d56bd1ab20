"""One bad pixel more is one bad pixel more; cloud and saturation do not become endmembers."""

import json

import numpy as np
import pytest

import hsgeo
from hsgeo.plugin import Quality
from hsgeo.scene import sensor
from hsgeo.spectra.metrics import match, sad_matrix
from hsgeo.synthetic import synthetic_scene
from tests.scenes import WAVELENGTH, endmembers, make_scene

RULE = 0.02  # docs/conventions: largest change of another pixel's abundance through the fit sample
CLOUD = 0.75 * np.exp(-(((WAVELENGTH - 600) / 2500) ** 2))


@pytest.fixture(scope="module")
def scene():
    return make_scene(96, 90, 4)


@pytest.fixture(scope="module")
def reference(scene):
    return hsgeo.unmix(scene, options={"archetypes": {"count": 4}}).compute()


BAD = {"nan": np.full(40, np.nan), "cloud": CLOUD, "saturated": np.full(40, 1.5), "inf": np.full(40, np.inf)}


@pytest.mark.parametrize("spectrum", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [(0, 0), (50, 33)])
def test_one_bad_pixel_changes_no_other_beyond_the_rule(scene, reference, spectrum, place):
    changed = scene.copy(deep=True)
    changed["spectra"][:, place[0], place[1]] = spectrum
    product = hsgeo.unmix(changed, options={"archetypes": {"count": 4}}).compute()
    order = match(product["endmembers"].values.T, reference["endmembers"].values.T).order
    difference = np.abs(product["abundance"].values[order] - reference["abundance"].values)
    difference[:, place[0], place[1]] = 0
    assert np.nanmax(difference) <= RULE
    others = np.ones((96, 90), bool)
    others[place] = False
    assert np.array_equal(product["quality"].values[others], reference["quality"].values[others])


def test_with_given_endmembers_one_bad_pixel_changes_no_bit_of_any_other(scene, reference):
    changed = scene.copy(deep=True)
    changed["spectra"][:, 50, 33] = np.nan
    first, second = (hsgeo.unmix(s, endmembers=reference).compute() for s in (scene, changed))
    others = np.ones((96, 90), bool)
    others[50, 33] = False
    assert np.array_equal(first["abundance"].values[:, others], second["abundance"].values[:, others])
    assert second["quality"].values[50, 33] == Quality.NODATA
    assert np.isnan(second["abundance"].values[:, 50, 33]).all()


def test_cloud_and_saturation_stay_out_of_the_endmembers(scene, reference):
    E = endmembers(4).T

    def mean_sad(product):
        angles = sad_matrix(product["endmembers"].values.T.astype(float), E)
        return np.mean([angles[:, k].min() for k in range(4)])

    rng = np.random.default_rng(3)
    dirty = scene.copy(deep=True)
    values = dirty["spectra"].values
    y, x = np.mgrid[:96, :90]
    distance = np.hypot(y - 30, x - 60)
    cloudy = distance <= np.quantile(distance, 0.10)  # one cloud of 10 % of the scene, thin at its edge
    thickness = np.where(cloudy, np.clip(1.3 - distance / distance[cloudy].max(), 0.3, 1.0), 0.0)
    values[:] = values * (1 - thickness) + CLOUD[:, None, None] * thickness
    hot = rng.random((96, 90)) < 0.001
    values[:, hot] = 1.6
    dirty["spectra"] = dirty["spectra"].copy(data=values)
    found = hsgeo.unmix(dirty, options={"archetypes": {"count": 4}}).compute()
    assert mean_sad(found) <= 1.1 * max(mean_sad(reference), 0.005)  # below 0.005 rad both are the truth


def test_a_cloudy_scene_is_learnt_from_as_many_pixels_as_a_clear_one():
    prisma = sensor("prisma")

    def mean_sad(**faults):
        made = synthetic_scene(300, 280, wavelength=prisma.wavelength, fwhm=prisma.fwhm, snr_db=30, seed=3, **faults)
        state = hsgeo.fit(made.scene.drop_vars("quality", errors="ignore"))
        good = state["scene"]["good"].values
        E_true = made.endmembers.transpose("band", "endmember").values[good]
        E = state["archetypes"]["endmembers"].values.T.astype(float)
        return match(E, E_true).cost.mean(), json.loads(state["archetypes"].attrs["sample"])["used"]

    clear, used = mean_sad()
    cloudy, used_cloudy = mean_sad(cloud=0.1, saturated=0.001)
    assert cloudy <= 1.1 * clear
    assert used_cloudy >= 0.9 * used
