"""What a plane shows of a heart: where planes lie, what they cut, and which view that is."""
