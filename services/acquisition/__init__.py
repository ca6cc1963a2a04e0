"""The acquisition site: what is received there, and what of it may be kept or passed on."""
