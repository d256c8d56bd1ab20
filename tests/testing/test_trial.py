"""The contract carries the methods to come: trial plugins for every row of the design's table obey every law."""

from pathlib import Path

from hsgeo.testing import parametrize_with_checks

FILES = (Path(__file__).parents[1] / "fakes" / "trial.py",)
PICK = {"use": "trial-pick", "with": {"count": 3}}
SOLVE = {"use": "trial-solve"}
AGAIN = {"use": "trial-solve", "id": "again"}


@parametrize_with_checks("trial-pick", options={"count": 3}, after=[SOLVE], files=FILES)
def test_pick(check):
    check()


@parametrize_with_checks("trial-noise", after=[PICK, SOLVE], files=FILES)
def test_reduce_in_two_passes(check):
    check()


@parametrize_with_checks("trial-solve", files=FILES)
def test_pixelwise(check):
    check()


@parametrize_with_checks("trial-endmember-diffusion", before=[PICK, SOLVE], after=[AGAIN], files=FILES)
def test_fit_on_earlier_kernels(check):
    check()


@parametrize_with_checks("trial-abundance-diffusion", before=[SOLVE], files=FILES)
def test_windowed_sampler(check):
    check()


@parametrize_with_checks("trial-mesma", files=FILES)
def test_class_fractions(check):
    check()


@parametrize_with_checks("trial-urdm", files=FILES)
def test_alternating_fit(check):
    check()


@parametrize_with_checks("trial-hybrid", options={"mode": "blind"}, files=FILES)
def test_patches_blind(check):
    check()


@parametrize_with_checks("trial-hybrid", options={"mode": "supervised"}, files=FILES)
def test_patches_supervised(check):
    check()
