"""Makes the manual pages from the templates here and from the code."""
