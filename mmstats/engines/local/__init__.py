"""The engine on this machine: Polars, streaming, over files."""
