"""What the commands in tools/ run, and the test hosts that they share with the tests."""
