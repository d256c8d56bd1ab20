"""Every bundled stage obeys every law; a stage, reader or writer that is not checked fails here."""

import os
import tempfile
from pathlib import Path

import pytest

from hsgeo.plugin.registry import registry
from hsgeo.testing import known_scene, parametrize_with_checks

SOLVE = ({"use": "fcls"},)


@parametrize_with_checks("archetypes", options={"count": 3, "restarts": 2}, after=SOLVE)
def test_archetypes(check):
    check()


@parametrize_with_checks("vca", options={"count": 3, "restarts": 2}, after=SOLVE)
def test_vca(check):
    check()


@parametrize_with_checks("nfindr", options={"count": 3, "restarts": 2}, after=SOLVE)
def test_nfindr(check):
    check()


@parametrize_with_checks("sivm", options={"count": 3}, after=SOLVE)
def test_sivm(check):
    check()


@parametrize_with_checks("sisal", options={"restarts": 2}, before=({"use": "hysime"},), after=SOLVE)
def test_sisal(check):
    check()


@parametrize_with_checks("atgp", options={"count": 3}, after=SOLVE)
def test_atgp(check):
    check()


@parametrize_with_checks("hysime", after=({"use": "vca", "with": {"restarts": 2}}, *SOLVE))
def test_hysime(check):
    check()


@parametrize_with_checks("nwhfc", after=({"use": "vca", "with": {"restarts": 2, "count": 3}}, *SOLVE))
def test_nwhfc(check):
    check()


@parametrize_with_checks("stability", after=({"use": "vca", "with": {"restarts": 2, "count": 3}}, *SOLVE))
def test_stability(check):
    check()


@parametrize_with_checks("fcls")
def test_fcls(check):
    check()


@parametrize_with_checks("fcls", before=({"use": "vca", "with": {"count": 3, "scale": "peak"}},))
def test_fcls_with_gain(check):
    check()


@parametrize_with_checks("fcls", options={"shade": "normalised", "weights": "noise", "std": True})
def test_fcls_without_shade(check):
    check()


@parametrize_with_checks(
    "fcls",
    options={"shade": "explicit", "std": True},
    xfail={"truth_is_recovered": "the zero spectrum of the shade has no angle to the truth"},
)
def test_fcls_with_shade(check):
    check()


@parametrize_with_checks("bvls", options={"upper": 1.1, "weights": "noise", "std": True})
def test_bvls(check):
    check()


@parametrize_with_checks("nnls")
def test_nnls(check):
    check()


@parametrize_with_checks("ucls")
def test_ucls(check):
    check()


FIND = ({"use": "vca", "with": {"restarts": 2, "count": 3}}, *SOLVE)


@parametrize_with_checks("noise", after=FIND)
def test_noise(check):
    check()


@parametrize_with_checks("noise", options={"method": "differences"}, after=FIND)
def test_noise_from_differences(check):
    check()


@parametrize_with_checks("denoise", after=FIND)
def test_denoise(check):
    check()


@parametrize_with_checks("destripe", after=FIND)
def test_destripe(check):
    check()


@parametrize_with_checks("sunsal")
def test_sunsal(check):
    check()


@parametrize_with_checks("sunsal", options={"sum_to_one": True})
def test_sunsal_with_a_sum(check):
    check()


@parametrize_with_checks("sunsal-tv", options={"core": 4, "margin": 2, "sum_to_one": True, "iterations": 12})
def test_sunsal_tv(check):
    check()


@parametrize_with_checks("vector-tv", options={"core": 4, "margin": 2, "iterations": 12})
def test_vector_tv(check):
    check()


@parametrize_with_checks("vector-tv", options={"core": 4, "margin": 2, "weight": 1.0, "gain": "pixel"})
def test_vector_tv_with_a_gain(check):
    check()


@parametrize_with_checks("mesma", options={"levels": [2, 3, 4]})
def test_mesma(check):
    check()


@parametrize_with_checks("sma", options={"draws": 3, "num_endmembers": 4, "uncertainty": 0.002})
def test_sma(check):
    check()


@parametrize_with_checks("bundles")
def test_bundles(check):
    check()


TALL = known_scene(height=116, width=12, noise=0.01)  # more rows than the 112 that the first window sees
SMALL = Path(tempfile.gettempdir()) / f"hsgeo-conformance-{os.getpid()}.safetensors"


@pytest.fixture(scope="module")
def _small_weights():
    """Write weights of a network that is quick and moves abundances: the shipped one would take minutes here."""
    from tests.plugins.hsgeo_hybridstu.small import small_weights

    small_weights(SMALL)
    yield
    SMALL.unlink()


@pytest.mark.usefixtures("_small_weights")
@parametrize_with_checks("hybridstu", options={"weights": str(SMALL)}, known=TALL)
def test_hybridstu(check):
    check()


@pytest.mark.usefixtures("_small_weights")
@parametrize_with_checks(
    "hybridstu", options={"weights": str(SMALL), "mode": "scene", "steps": 2, "endmembers": "refine"}, known=TALL
)
def test_hybridstu_scene(check):
    check()


@parametrize_with_checks("endmember-diffusion", after=SOLVE, known=known_scene(noise=0.02))
def test_endmember_diffusion(check):
    check()


@parametrize_with_checks(
    "endmember-diffusion",
    options={"prior": "library"},
    before=({"use": "vca", "with": {"restarts": 2, "count": 3}},),
    after=SOLVE,
    known=known_scene(noise=0.02),
)
def test_endmember_diffusion_with_a_library(check):
    check()


SMALL_PRIOR = SMALL.with_name(SMALL.name.replace("conformance", "conformance-prior"))


@pytest.fixture(scope="module")
def _small_prior():
    """Write weights of a small diffusion network, for the same reason."""
    from tests.plugins.hsgeo_diffusion.small import small_weights

    small_weights(SMALL_PRIOR)
    yield
    SMALL_PRIOR.unlink()


@pytest.mark.usefixtures("_small_prior")
@parametrize_with_checks("abundance-diffusion", options={"weights": str(SMALL_PRIOR)}, known=TALL)
def test_abundance_diffusion(check):
    check()


@pytest.mark.usefixtures("_small_prior")
@parametrize_with_checks(
    "abundance-diffusion",
    options={
        "weights": str(SMALL_PRIOR), "choose": "network", "gain": "pixel",
        "samples": 2, "steps": 2, "quantiles": (0.1, 0.9), "keep_samples": True,
    },
    before=({"use": "fcls"},),
    known=TALL,
)  # fmt: skip
def test_abundance_diffusion_with_samples(check):
    check()


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("stages", "test_conformance.py"),
        ("readers", "test_conformance_readers.py"),
        ("writers", "test_conformance_writers.py"),
    ],
)
def test_everything_bundled_is_checked(kind, file):
    text = Path(__file__).with_name(file).read_text()
    reg = registry()
    bundled = [n for n, record in getattr(reg, kind).items() if reg.provider(record).distribution == "hsgeo"]
    assert bundled
    assert [name for name in bundled if f'checks("{name}"' not in text] == []
