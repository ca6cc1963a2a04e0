"""What a cine loop is, and how it becomes model input. Imports nothing else of ours."""
