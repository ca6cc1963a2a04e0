"""The acquisition site: what comes from its scanners, what a trial still misses, and what goes back to its archive."""
