"""The command line: one file per command, loaded when it is asked for."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import click

from hsgeo._version import __version__
from hsgeo.cli.lazy import LazyGroup
from hsgeo.errors import HsgeoError, HsgeoWarning

__all__ = ["cli", "main"]

_COMMANDS = {
    "unmix": "hsgeo.cli.unmix:unmix",
    "info": "hsgeo.cli.info:info",
    "georeference": "hsgeo.cli.georeference:georeference",
    "convert": "hsgeo.cli.convert:convert",
    "subset": "hsgeo.cli.subset:subset",
    "plot": "hsgeo.cli.plot:plot",
    "library": "hsgeo.cli.library:library",
    "list": "hsgeo.cli.list:list_",
    "show": "hsgeo.cli.show:show",
    "schema": "hsgeo.cli.schema:schema",
    "rerun": "hsgeo.cli.rerun:rerun",
    "demo": "hsgeo.cli.demo:demo",
    "evaluate": "hsgeo.cli.evaluate:evaluate",
    "benchmark": "hsgeo.cli.benchmark:benchmark",
    "train": "hsgeo.cli.train:train",
}


class _Root(LazyGroup):
    """Asks the plugins for their commands when one is wanted that is not among the own ones, or all are."""

    _plugins_asked = False

    def _ask_plugins(self) -> None:
        if not self._plugins_asked:
            type(self)._plugins_asked = True
            from hsgeo.plugin.registry import registry

            registry().commands(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._ask_plugins()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            self._ask_plugins()
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Root, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="hsgeo")
def cli() -> None:
    """Georeferenced hyperspectral scenes to abundance maps people can trust.

    Begin with: hsgeo unmix --input SCENE --out abund.zarr
    """


def _as_note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Print what hsgeo warns of as a note; other libraries' warnings speak of code, not to the user."""
    from hsgeo.cli.progress import notice

    if issubclass(category, HsgeoWarning):
        notice(str(message).rstrip("."))


def main(args: list[str] | None = None) -> None:
    """Run the command line; translate errors to exit codes, once.

    0 done; 1 failure; 2 bad input or usage; 3 finished, but some tiles failed.

    Parameters
    ----------
    args : list of str, optional
        Arguments; None: those of the process.
    """
    warnings.simplefilter("always", HsgeoWarning)
    warnings.showwarning = _as_note
    verbose = "-v" in (sys.argv[1:] if args is None else args)
    try:
        code: Any = cli.main(args=args, prog_name="hsgeo", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # zarr's loop complains of each read that was cut off
        given = sys.argv[1:] if args is None else args
        resumable = "unmix" in given or "georeference" in given
        more = " An output that was begun is marked incomplete; --resume goes on with it." if resumable else ""
        click.echo(f"Stopped.{more}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away, as `hsgeo list | head` does
        sys.stderr.close()
        sys.exit(0)
    except HsgeoError as error:
        if verbose:
            raise
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True)
        sys.exit(2)
    except Exception as error:
        if verbose:
            raise
        click.echo(
            f"{click.style('Failure:', fg='red', bold=True)} {type(error).__name__}: {error}. "
            "This is a fault of hsgeo or of a library, not of your input; -v shows where.",
            err=True,
        )
        sys.exit(1)
