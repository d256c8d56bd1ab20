"""Join ``pip freeze`` of two green environments into constraints.txt.

python tests/tools/merge_constraints.py freeze-3.11.txt freeze-3.12.txt > constraints.txt
"""

import sys
from pathlib import Path

HEADER = """\
# What CI is green with: every version that `make test`, `make lint` and `make docs` install.
# Where Python 3.11 and later take different versions, a marker says which (CONTRIBUTING.md: how to renew).
"""


def read(path: str) -> dict[str, str]:
    """Return version by package name of a freeze file; editable and local installs are left out."""
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith(("#", "-", "hsgeo")))
    return dict(pins)


def main(older: str, newer: str) -> None:
    old, new = read(older), read(newer)
    sys.stdout.write(HEADER)
    for name in sorted({*old, *new}, key=str.lower):
        if name not in old or name not in new or old[name] == new[name]:
            sys.stdout.write(f"{name}=={old.get(name, new.get(name))}\n")
        else:
            sys.stdout.write(f'{name}=={old[name]} ; python_version < "3.12"\n')
            sys.stdout.write(f'{name}=={new[name]} ; python_version >= "3.12"\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
