"""The fake table, where the command line finds it."""

from tests.fake import TABLE

EXPERIMENT = TABLE
