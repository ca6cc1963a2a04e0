"""Measures what is claimed, on simulated cines whose truth is known."""
