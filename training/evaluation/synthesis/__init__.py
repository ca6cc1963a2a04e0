"""How synthetic pictures measure beside real ones, and whether they are copies: distances, coverage, privacy, use."""
