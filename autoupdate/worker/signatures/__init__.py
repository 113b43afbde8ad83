"""Verifies the signatures of commits and tags, with gpg and ssh-keygen.

Takes a commit and the trusted keys, returns values of model/signatures.py; gates/signatures.py
decides which of them are enough.
"""
