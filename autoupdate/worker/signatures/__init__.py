"""What the signatures of commits and tags are worth, by gpg and ssh-keygen.

In come a commit and the trusted keys, out go values of model/signatures.py; which of them suffice
is for gates/signatures.py to say.
"""
