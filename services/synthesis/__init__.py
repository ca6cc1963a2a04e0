"""Balanced synthetic batches: what to make, who makes it, where it goes."""
