"""`python -m tests.fake` is `python -m ftnoise` with the fake table alone."""

import sys

from ftnoise.cli import main as cli
from tests.fake import install

install()
sys.exit(cli.main())
