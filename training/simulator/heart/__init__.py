"""One heart in three dimensions and time: what it is made of, and where every part of it is at any instant."""
