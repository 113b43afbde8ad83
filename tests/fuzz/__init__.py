"""Made-up input for everything that is parsed; AUTOUPDATE_FUZZ_CASES sets how much of it."""
