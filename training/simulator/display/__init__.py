"""What stands round the sector: the screen, what the vendor writes on it, what an export does to it."""
