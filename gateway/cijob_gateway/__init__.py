"""The gateway: carries the bytes, sources in, logs and results out."""
