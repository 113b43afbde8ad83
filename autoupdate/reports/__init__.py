"""Facts for people and programs: status, plan, history, show, doctor, config check.

In come the settings, the records and the state of the host; out go plain values. cli/render/ makes
text of them, `--json` prints them as they are. Nothing is changed, but that `plan` fetches into the
mirror. May import the rooms from adoption/ down.
"""
