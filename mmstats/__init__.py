"""Ask the stats query of a hosted analytics API of event files you have."""
