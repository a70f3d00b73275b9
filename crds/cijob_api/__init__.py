"""The contract of cijob: models of the custom resources, shared by every part."""
