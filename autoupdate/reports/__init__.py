"""Facts for people and programs: status, plan, history, show, doctor, config check.

In come the settings, the records and the host as they are; out go plain values, which cli/render/
puts into words and `--json` prints as they are. Nothing is changed. May import the rooms from
adoption/ down.
"""
