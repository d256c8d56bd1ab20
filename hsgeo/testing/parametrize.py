"""Decorators that turn every law into one test, as scikit-learn's ``parametrize_with_checks`` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsgeo.errors import ConfigError
from hsgeo.plugin.registry import registry
from hsgeo.testing.case import StageCase
from hsgeo.testing.laws import Law
from hsgeo.testing.scenes import Known

if TYPE_CHECKING:
    import pytest
    import xarray as xr

__all__ = ["parametrize_reader_checks", "parametrize_with_checks", "parametrize_writer_checks", "stage_laws"]


def stage_laws() -> tuple[Law, ...]:
    """Return every law of stages: those of the stage alone, then those through the real runner."""
    from hsgeo.testing.runner_laws import RUNNER_LAWS
    from hsgeo.testing.stage_laws import KERNEL_LAWS

    return (*KERNEL_LAWS, *RUNNER_LAWS)


def parametrize_with_checks(
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    before: Sequence[Mapping[str, Any]] = (),
    after: Sequence[Mapping[str, Any]] = (),
    files: Sequence[str | Path] = (),
    known: Known | None = None,
    angle: float = 0.1,
    error: float = 0.1,
    xfail: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Make one test of every law that applies to a stage.

    Parameters
    ----------
    name : str
        Of the stage; it must be installed, or in one of the ``files``.
    options : mapping
        Its options; choose them small.
    before, after : sequence of mapping
        Stages around it, each ``{"use": ..., "with": {...}, "id": ...}``. Endmembers or a library that none of them
        writes come from the truth. A chain without abundances needs a solver in ``after`` for the laws of the runner.
    files : sequence of path
        One-file plugins to load first.
    known : Known
        Scene with truth; default `hsgeo.testing.known_scene`.
    angle : float
        Law of truth: largest spectral angle of an endmember, radian.
    error : float
        Law of truth: largest root mean square error of abundances.
    xfail : mapping of str to str
        Laws that are expected to fail, and why. A law that then passes is a failure.

    Returns
    -------
    pytest.MarkDecorator
        For a test function with the argument ``check``, which it calls.

    Raises
    ------
    ConfigError
        If ``xfail`` names no law, or gives no reason.

    Examples
    --------
    >>> @parametrize_with_checks("my-solver", options={"iterations": 20})
    ... def test_my_solver(check):
    ...     check()
    """
    paths = _absolute(files)
    case = StageCase(
        name, options=options, before=before, after=after, files=paths, known=known, angle=angle, error=error
    )
    record = registry(paths).stage(name)
    return decorate([law for law in stage_laws() if law.applies(record)], case, xfail, f"stage {name!r}")


def parametrize_reader_checks(
    name: str,
    make_file: Callable[[Path], Path],
    *,
    options: Mapping[str, Any] | None = None,
    files: Sequence[str | Path] = (),
    xfail: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Make one test of every law of readers.

    Parameters
    ----------
    name : str
        Of the reader.
    make_file : callable
        ``make_file(folder) -> path`` writes one small file of the reader's kind.
    options, files, xfail
        As for `parametrize_with_checks`.

    Returns
    -------
    pytest.MarkDecorator
        For a test function with the argument ``check``, which it calls.

    Raises
    ------
    ConfigError
        As `parametrize_with_checks`.
    """
    from hsgeo.testing.reader_laws import READER_LAWS, ReaderCase

    case = ReaderCase(name, make_file, options=options, files=_absolute(files))
    return decorate(READER_LAWS, case, xfail, f"reader {name!r}")


def parametrize_writer_checks(
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    reopen: Callable[[Path], xr.Dataset] | None = None,
    files: Sequence[str | Path] = (),
    xfail: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Make one test of every law of writers.

    Parameters
    ----------
    name : str
        Of the writer.
    options : mapping
        Its options.
    reopen : callable
        ``reopen(path) -> Dataset`` in the product convention; default: `hsgeo.open_product`.
    files, xfail
        As for `parametrize_with_checks`.

    Returns
    -------
    pytest.MarkDecorator
        For a test function with the argument ``check``, which it calls.

    Raises
    ------
    ConfigError
        As `parametrize_with_checks`.
    """
    from hsgeo.testing.writer_laws import WRITER_LAWS, WriterCase

    case = WriterCase(name, options=options, reopen=reopen, files=_absolute(files))
    return decorate(WRITER_LAWS, case, xfail, f"writer {name!r}")


def _absolute(files: Sequence[str | Path]) -> tuple[str, ...]:
    return tuple(str(Path(path).resolve()) for path in files)


def decorate(laws: Sequence[Law], case: Any, xfail: Mapping[str, str] | None, what: str) -> pytest.MarkDecorator:
    """Make the pytest decorator for some laws and one case."""
    import pytest

    expected = dict(xfail or {})
    unknown = [law for law in expected if law not in {law.name for law in laws}]
    if unknown:
        raise ConfigError(f"xfail= of {what} names {unknown[0]!r}", ", ".join(law.name for law in laws))
    silent = [law for law, reason in expected.items() if not reason.strip()]
    if silent:
        raise ConfigError(f"xfail= of {what} gives no reason for {silent[0]!r}", "a sentence that says why")
    parameters = []
    for law in laws:
        marks = (pytest.mark.xfail(strict=True, reason=expected[law.name]),) if law.name in expected else ()
        check: Callable[[], None] = partial(law.check, case)
        parameters.append(pytest.param(check, id=law.name, marks=marks))
    return pytest.mark.parametrize("check", parameters)
