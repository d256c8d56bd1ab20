"""The noise benchmark: its noise is what it says, its rival is the known one, stages run as users run them."""

import cvxpy as cp
import numpy as np
import pytest

from hsgeo.api import fit, unmix
from hsgeo.errors import ConfigError, HsgeoError
from hsgeo.evaluation.accuracy.scenes import add_noise, load_scene
from hsgeo.evaluation.noise.closed import closed_form, in_convention, shares
from hsgeo.evaluation.noise.corrupt import KINDS, corrupt
from hsgeo.evaluation.noise.methods import BUILT_IN, CLOSED_FORM, answer
from hsgeo.evaluation.noise.plan import COLUMNS, left_over, plan_cases
from hsgeo.evaluation.noise.rof import rof
from hsgeo.evaluation.noise.run import run_case
from hsgeo.evaluation.noise.stages import content_of, resolve, window_of
from hsgeo.evaluation.rows import append, read
from hsgeo.plugin.registry import registry
from hsgeo.spectra.metrics import armse

INF = float("inf")


def small_scene(seed=0):
    """Two fields and a strip: image (24, 20, 12), endmembers, abundances, truth of the physical convention."""
    rng = np.random.default_rng(seed)
    E = np.abs(rng.standard_normal((12, 3))).cumsum(axis=0) * [0.05, 0.02, 0.1]
    A = np.zeros((24, 20, 3))
    A[..., 0], A[10:, :, 0], A[10:, :, 1], A[:, 12:15, :] = 1, 0.2, 0.8, (0.1, 0.1, 0.8)
    return (A @ E.T).astype(np.float32), E, A.reshape(-1, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_noise_has_the_stated_power(kind):
    scene = load_scene("synthetic-4", None)
    noisy = corrupt(scene.image, kind, snr_db=20, seed=3, name="a")
    error = noisy.astype(float) - scene.image
    assert 10 * np.log10(np.mean(scene.image.astype(float) ** 2) / np.mean(error**2)) == pytest.approx(20, abs=0.1)
    np.testing.assert_array_equal(noisy, corrupt(scene.image, kind, snr_db=20, seed=3, name="a"))
    assert (noisy != corrupt(scene.image, kind, snr_db=20, seed=4, name="a")).mean() > 0.9
    np.testing.assert_array_equal(corrupt(scene.image, kind, snr_db=INF, seed=3), scene.image)
    down = error.mean(axis=0).std() / error.std()  # white noise fades with the square root of the rows
    band = error.std(axis=(0, 1))
    assert (down > 0.6) == (kind == "striped")
    assert (band.max() / band.min() > 4) == (kind == "banded")


def test_noise_of_an_unknown_kind():
    with pytest.raises(ConfigError, match="pink"):
        corrupt(np.ones((2, 2, 2)), "pink", snr_db=20, seed=0)


@pytest.mark.parametrize("weight", [0.05, 0.4])
def test_denoising_reaches_the_optimum_of_a_general_solver(weight):
    rng = np.random.default_rng(0)
    f = np.zeros((9, 11))
    f[3:7, 2:8] = 1
    f += 0.2 * rng.standard_normal(f.shape)
    u = cp.Variable(f.shape)
    # cvxpy's TV leaves the last row and column out, where only one difference exists: add them
    edges = cp.norm1(cp.diff(u[-1, :])) + cp.norm1(cp.diff(u[:, -1]))
    cp.Problem(cp.Minimize(cp.sum_squares(u - f) / 2 + weight * (cp.tv(u) + edges))).solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(rof(f[None], weight, rounds=3000)[0], u.value, atol=2e-4)
    assert np.sqrt(np.mean((rof(f[None], weight)[0] - u.value) ** 2)) < 0.02


def test_denoising_at_its_edges():
    maps = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)
    np.testing.assert_array_equal(rof(maps, 0), maps)
    flat = np.broadcast_to(maps.mean((1, 2), keepdims=True), maps.shape)
    np.testing.assert_allclose(rof(maps, 1e3, rounds=500), flat, atol=1e-3)
    np.testing.assert_array_equal(rof(np.ones((1, 1, 1)), 0.5), np.ones((1, 1, 1)))
    for wrong in (np.full((1, 3, 3), np.nan), np.ones((3, 3))):
        with pytest.raises(ConfigError):
            rof(wrong, 0.1)
    with pytest.raises(ConfigError, match="weight"):
        rof(maps, -1)


@pytest.mark.parametrize("method", ["tv*", "sunsal-tv*"])
@pytest.mark.parametrize("peak", [False, True])
def test_rivals_that_know_the_answer(method, peak):
    image, E, _ = small_scene()
    truth = closed_form(image.reshape(-1, 12), in_convention(E, peak=peak), peak=peak).A

    def error(found):
        return armse(found, truth)

    noisy = add_noise(image, 15, seed=0)
    base = error(answer(CLOSED_FORM, noisy, E, peak=peak, error=error).A)
    found = answer(method, noisy, E, peak=peak, error=error)
    np.testing.assert_allclose(found.A.sum(axis=1), 1, atol=1e-5)
    assert found.A.min() >= 0
    assert error(found.A) < 0.5 * base
    assert found.weight > 0
    if method == "tv*":
        assert error(answer(method, image, E, peak=peak, error=error).A) == pytest.approx(0, abs=1e-6)


def test_hard_images_have_a_defined_result():
    image, E, _ = small_scene()
    twins = np.c_[E, E[:, 0]]
    for hard, spectra in ((np.zeros_like(image), E), (image[:1, :1], E), (image, twins), (image[:, :1], twins)):
        for peak in (False, True):
            found = answer("tv*", hard, spectra, peak=peak, error=lambda A: float(np.mean(A**2)))
            assert np.isfinite(found.A).all()
    with pytest.raises(ConfigError, match="missing values"):
        answer("tv*", np.full_like(image, np.nan), E, peak=False, error=lambda A: 0.0)
    np.testing.assert_array_equal(
        shares(np.array([[0.0, 0.0], [-1.0, 2.0], [1.0, 3.0]])), [[0, 0], [0, 1], [0.25, 0.75]]
    )


def test_the_known_figures_of_samson(data_dir):
    """Closed form against the published measurement of the same protocol; tv* against its ratio there, 2.1."""
    scene = load_scene("samson-zhu", data_dir)
    noisy = add_noise(scene.image, 20, seed=0, name=scene.cube)

    def error(A):
        return armse(A, scene.A)

    base = error(answer(CLOSED_FORM, noisy, scene.E, peak=True, error=error).A)
    assert base == pytest.approx(0.0453, abs=0.001)
    assert base / error(answer("tv*", noisy, scene.E, peak=True, error=error).A) > 1.9


@pytest.mark.parametrize("scene", ["samson-zhu", "samson-rasti"])
def test_a_stage_is_told_the_scale_of_the_endmembers_and_sees_every_band(scene, data_dir):
    """The pixelwise stage is the closed form, clean and noisy, in both conventions."""
    closed, stage = plan_cases([scene], ["fcls"], [INF, 20.0], 1, data=data_dir)[::2]
    rows = [run_case(case, fit=fit, unmix=unmix) for case in (closed, stage)]
    assert [row["method"] for row in rows] == [CLOSED_FORM, "fcls"]
    assert rows[1]["armse"] == pytest.approx(rows[0]["armse"], abs=1e-6)
    assert rows[1]["missing"] == 0


def test_methods_are_resolved():
    known = registry()
    one = resolve("sunsal-tv[lam_tv=0.01]", known, scale="physical")
    assert one.recipe["stages"][0]["with"] == {"sum_to_one": True, "lam_tv": 0.01}
    assert "sum_to_one" not in resolve("sunsal-tv", known, scale="peak").recipe["stages"][0]["with"]
    chosen = resolve("sunsal[sum_to_one=false]", known, scale="physical")
    assert chosen.recipe["stages"][0]["with"]["sum_to_one"] is False
    assert one.recipe["scene"]["with"]["bad_bands"] == []
    assert [step["use"] for step in resolve("denoise+fcls", known, scale="peak").recipe["stages"]] == [
        "denoise",
        "fcls",
    ]
    chain = resolve("hybridstu[mode=zero]+vector-tv[core=32,weight=0.5]", known, scale="peak")
    assert [(step["use"], step["with"]) for step in chain.recipe["stages"]] == [
        ("hybridstu", {"mode": "zero"}), ("vector-tv", {"core": 32, "weight": 0.5}),
    ]  # fmt: skip
    assert window_of(chain, known, np.zeros((40, 40, 3)), np.arange(400.0, 403), ("a", "b")) == 32
    assert window_of(one, known, np.zeros((4, 4, 3)), np.arange(400.0, 403), ("a", "b")) != 32
    assert resolve("classical", known, scale="peak").scale == "peak"
    other = resolve("sunsal-tv[lam_tv=0.02]", known, scale="physical")
    assert content_of(one, known) != content_of(other, known)
    for wrong in ("nothing", "fcls[oil=1]", "fcls[gain]", "mesma", "fcls["):
        with pytest.raises(HsgeoError):
            resolve(wrong, known, scale="physical")


def test_a_stopped_benchmark_goes_on(tmp_path):
    cases = plan_cases(["synthetic-4"], [], [INF, 20.0], 2, data=None)
    assert len(cases) == 3  # without noise the closed form needs no second seed
    later = plan_cases(["synthetic-4"], [], [INF, 20.0], 2, first_seed=5, data=None)
    assert [(case.snr_db, case.seed) for case in later] == [(INF, 0), (20.0, 5), (20.0, 6)]
    path = tmp_path / "noise.csv"
    assert read(path, COLUMNS) == []
    append(path, COLUMNS, [run_case(cases[0], fit=fit, unmix=unmix)])
    with path.open("ab") as file:
        file.write(b"synthetic-4,closed-form,wh")  # killed while it wrote
    left = left_over(cases, read(path, COLUMNS))
    assert left == cases[1:]
    append(path, COLUMNS, [run_case(case, fit=fit, unmix=unmix) for case in left])
    assert left_over(cases, read(path, COLUMNS)) == []
    assert left_over(plan_cases(["synthetic-4"], [], [20.0], 2, kind="banded", data=None), read(path, COLUMNS))
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="other columns"):
        read(path, COLUMNS)


def test_the_default_methods_exist():
    assert {case.method for case in plan_cases(["synthetic-4"], BUILT_IN, [20.0], 1, data=None)} == set(BUILT_IN)
    with pytest.raises(ConfigError, match="0 scenes"):
        plan_cases([], [], [20.0], 1, data=None)
