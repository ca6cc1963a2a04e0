"""The ultrasound machine: from what a plane cuts to grey scan lines."""
