"""The beating heart and the ultrasound scanner."""
