"""Echocardiograms from noise: what is learned, how it is sampled, and how that is brought down to a few steps."""
