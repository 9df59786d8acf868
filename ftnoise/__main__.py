"""`python -m ftnoise`."""

import sys

from ftnoise.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
