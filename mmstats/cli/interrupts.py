"""What an interrupt does while the engine is loaded."""

import signal


def keep_interruptible() -> None:
    """Let an interrupt end a read that waits, which the engine's import has stopped it from doing (polars#21739)."""
    if hasattr(signal, "siginterrupt"):  # not on Windows
        signal.siginterrupt(signal.SIGINT, True)
