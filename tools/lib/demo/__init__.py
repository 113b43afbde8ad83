"""The demo of tools/demo: a story that happens on a booted test host, or on this machine.

`story` is what happens; `narrator` prints it; `stage` is where it happens. That is a new host. In a
container that cannot boot one, it is this machine, if necessary with a stand-in for systemd
(`supervisor`, `unit_file`, and `systemctl`, which talks to it).
"""
