"""The models that the chapters build: one module per family."""
