"""From a checkpoint to a folder of the model repository: ONNX with parity, card, configuration."""
