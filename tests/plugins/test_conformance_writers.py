"""Every bundled writer obeys every law."""

from hsgeo.testing import parametrize_writer_checks


@parametrize_writer_checks("zarr")
def test_zarr(check):
    check()


@parametrize_writer_checks("zarr", options={"zarr_format": 3})
def test_zarr_format_3(check):
    check()


@parametrize_writer_checks("cog")
def test_cog(check):
    check()
