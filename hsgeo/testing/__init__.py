"""The proof: the conformance kit that bundled and third-party plugins run in their tests.

`parametrize_with_checks` turns every law of stages into one test; `parametrize_reader_checks` and
`parametrize_writer_checks` do the same for readers and writers.
"""

from hsgeo.testing.parametrize import parametrize_reader_checks, parametrize_with_checks, parametrize_writer_checks
from hsgeo.testing.scenes import Known, known_product, known_scene

__all__ = [
    "Known",
    "known_product",
    "known_scene",
    "parametrize_reader_checks",
    "parametrize_with_checks",
    "parametrize_writer_checks",
]
