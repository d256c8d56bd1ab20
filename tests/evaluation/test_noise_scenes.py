"""Held-out scenes: the same whatever the threads, of both conventions, with a truth that the closed form reaches."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from hsgeo.errors import ConfigError
from hsgeo.evaluation.conventions import scale_of_convention
from hsgeo.evaluation.noise import scenes
from hsgeo.evaluation.noise.closed import closed_form, in_convention
from hsgeo.evaluation.noise.scenes import HELD_OUT, expand, group_of, load


def test_ten_scenes_of_both_conventions():
    found = [load(name, None) for name in HELD_OUT]
    assert [scene.A.shape[1] for scene in found] == [3, 3, 4, 4, 5, 5, 6, 6, 3, 3]
    assert [scale_of_convention(scene.convention) for scene in found] == ["peak", "physical"] * 5
    assert len({scene.digest for scene in found}) == 10
    for scene in found:
        assert scene.image.shape[:2] == (100, 100)
        assert 130 <= scene.image.shape[2] == scene.wavelength.size <= 170
        np.testing.assert_allclose(scene.A.sum(axis=1), 1, atol=1e-5)
        assert scene.image.min() > -0.05
        # model error: no abundances explain the image, as in real scenes
        peak = scale_of_convention(scene.convention) == "peak"
        Y = scene.image.reshape(-1, scene.wavelength.size)
        solved = closed_form(Y, in_convention(scene.E, peak=peak), peak=peak)
        np.testing.assert_allclose(solved.A, scene.A, atol=1e-6)
        misfit = Y - solved.B @ in_convention(scene.E, peak=peak).T
        assert np.linalg.norm(misfit) > 0.008 * np.linalg.norm(Y)


def test_a_scene_hangs_on_no_number_of_threads():
    digests = set()
    for threads in (1, 2):
        scenes._procedural.cache_clear()
        with threadpool_limits(threads):
            digests.add(load("procedural-3", None).digest)
    assert len(digests) == 1


def test_names_and_groups():
    assert expand(["sim1", "procedural", "procedural-4", "sim1"]) == ("sim1", *HELD_OUT)
    names = ("samson-rasti", "jasper-zhu", "dc1", "procedural-9", "wide", "synthetic-4")
    assert [group_of(name) for name in names] == [
        "real", "real", "cartoon", "procedural", "wide", "other",
    ]  # fmt: skip
    for wrong in ("procedural-10", "procedural-x", "moon"):
        with pytest.raises(ConfigError, match=wrong):
            load(wrong, None)
