"""Random input for everything that is parsed; AUTOUPDATE_FUZZ_CASES sets the number of cases."""
