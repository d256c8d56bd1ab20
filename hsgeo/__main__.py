"""``python -m hsgeo``."""

from hsgeo.cli import main

if __name__ == "__main__":
    main()
