#!/bin/sh
# What the procedure that this package replaces does in a checkout: fetch, compare, pull, and install
# everything, every time. Usage: old_procedure.sh CHECKOUT
set -eu
cd "$1"
git fetch --quiet origin main
if [ "$(git rev-parse HEAD)" = "$(git rev-parse origin/main)" ]; then
	echo "Already up to date"
elif [ -n "$(git status --porcelain)" ]; then
	git stash --quiet
fi
git pull --quiet origin main
if ! [ -d .venv ]; then
	/usr/bin/python3 -m venv .venv
fi
. .venv/bin/activate
pip install --quiet --upgrade pip
if [ -e requirements.txt ]; then
	pip install --quiet --requirement requirements.txt
fi
pip install --quiet --editable .
echo "[$(date '+%Y-%m-%d %H:%M:%S')] Successfully updated to commit: $(git rev-parse HEAD)"
