"""Whole sets of cines on disk: ordered, written by several processes, resumed."""
