"""The version of mmstats, as packages and answers carry it."""

__version__ = "0.1.0"
