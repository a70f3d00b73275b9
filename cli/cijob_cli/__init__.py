"""The command line `ci`."""
