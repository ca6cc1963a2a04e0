"""What a served model is, where it lies, and who runs it."""
