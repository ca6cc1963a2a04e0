"""Video, pictures and research volumes as cines."""
