"""The demonstration that tools/demo gives: a story, told on a booted test host or on the spot.

`story` is what happens, `narrator` how it is told, `stage` where: on a host of its own, or, in a
container that cannot boot one, on this very machine, with a stand-in for systemd if there is none
(`supervisor`, `unit_file`, and `systemctl`, which talks to it).
"""
