"""The host: a module for each part of it, such as services, processes, links, logs, probes.

Takes plain values, returns plain values or raises a clear error. Effects that tests replace are
behind protocols. May import config/ and model/.
"""
