"""From the bytes of files to event columns."""
