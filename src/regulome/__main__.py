"""``python -m regulome``: the same as the command ``regulome``."""

from regulome.cli import main

if __name__ == "__main__":
    main()
