"""Imported at the first request for /late: an old process must get the old one."""

LATE_VERSION = 1
