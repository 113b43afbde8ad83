"""The rehearsal of services: which take part, and whose fault it is if one fails."""
