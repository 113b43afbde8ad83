"""What the commands beside this folder run, and the test hosts that they share with the tests."""
