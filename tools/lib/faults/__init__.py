"""Kills and faults on booted hosts: what `tools/faults` runs.

`scene` is a booted host with the application; `look` checks it; `kills` and `cells` kill runs or
cause faults; `inside` has the two scripts that run in the host; `report` writes the page.
"""
