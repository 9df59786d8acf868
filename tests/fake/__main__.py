"""`python -m tests.fake` is `python -m ftnoise` with the fake table alone."""

from ftnoise.__main__ import run
from tests.fake import install

install()
run()
