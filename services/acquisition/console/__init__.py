"""The site console: one web page for the person at the scanner, served on this machine alone."""
