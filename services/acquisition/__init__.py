"""The acquisition site: what comes from its scanners, and what goes back to its archive."""
