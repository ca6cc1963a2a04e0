"""Everything that makes a model: simulator, data, training, export. Nothing under `services` imports it."""
