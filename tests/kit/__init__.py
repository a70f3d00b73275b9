"""What the tests of several folders share: the cluster under test, and the machine it is on."""
