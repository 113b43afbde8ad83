"""Package the application."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
FOUND = re.search(r"^VERSION = (\d+)", (HERE / "ipfs_accelerate_py/version.py").read_text(), re.M)

setup(
    name="ipfs_accelerate_py",
    version=FOUND[1] if FOUND else "0",
    packages=["ipfs_accelerate_py"],
    package_data={"ipfs_accelerate_py": ["data/*"]},
    python_requires=">=3.9",
    install_requires=(HERE / "requirements.txt").read_text().split(),
    extras_require={"mcp": ["iniconfig>=2"]},
)
