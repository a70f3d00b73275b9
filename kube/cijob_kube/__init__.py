"""The Kubernetes API as operator and gateway speak it."""
