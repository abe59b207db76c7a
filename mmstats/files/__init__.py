"""Where event files are: found, told apart, fingerprinted; none is read for its events."""
