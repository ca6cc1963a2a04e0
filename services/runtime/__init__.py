"""Plumbing that every process shares: sandbox, settings, errors to gRPC status, metrics, logs."""
