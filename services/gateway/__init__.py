"""The gRPC process."""
