"""What operator and gateway share: the API server as they speak to it, and structured logs."""
