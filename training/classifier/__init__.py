"""The view classifier's training: data from the simulator, augmentation, network, calibration, report."""
