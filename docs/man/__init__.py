"""Makes the manual pages from the templates here and from what the code itself says."""
