"""The operator: turns each CIJob into a Pod and keeps its status true."""
