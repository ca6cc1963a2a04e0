"""DICOM ultrasound objects as cines."""
