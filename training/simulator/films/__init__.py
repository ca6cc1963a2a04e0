"""Every variant of a cine: how its frames are made."""
