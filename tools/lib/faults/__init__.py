"""Kills and faults on booted hosts: what `tools/faults` runs, and what its table is made from.

`scene` is a booted host with the application; `look` says what is wrong with it; `kills` and
`cells` do something bad to it and look; `inside` has the two scripts that run in the host.
"""
