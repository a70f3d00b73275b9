"""The commands of `ci`, a file each; main loads the one that is called."""
