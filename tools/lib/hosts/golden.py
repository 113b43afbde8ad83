"""Golden texts: somebody has reviewed them, and the commands must still print them.

Parts that differ from run to run are replaced by words in angle brackets. AUTOUPDATE_GOLDEN=write
writes the texts again: look at the difference before you commit it.
"""

import difflib
import os
import re
from pathlib import Path

# The volatile parts, in this order: longer ones contain shorter ones.
MASKS = (
    (r"\b[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}x*\b", "<release>"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "<time>"),
    # With the padding of a column.
    (r"\b[0-9,]+ (s|min|h|days?) ago \(([0-9-]{10} )?[0-9:]{5}\)( +(?=  ))?", "<time> ago"),
    (r"\bin [0-9,]+ (s|min|h|days?) \(([0-9-]{10} )?[0-9:]{5}\)", "in <time>"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?\b", "<time>"),
    (r"\b20[0-9]{12}\b", "<stamp>"),
    (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:<port>"),
    (r"\b(process|pid) [0-9]+", r"\1 <number>"),
    (r"\b[0-9][0-9,]*(\.[0-9]+)? (MiB|KiB|GiB|s|ms)\b", r"<number> \2"),
)


class Golden:
    """The texts of one directory; `names` (commits, ports, other words) are replaced first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.names: dict[str, str] = {}
        self.used: set[str] = set()

    def commit(self, commit: str, name: str) -> str:
        """Replace a commit by a fixed name from now on; return the commit."""
        for length in (7, 12, len(commit)):
            self.names[commit[:length]] = f"<{name}>"
        return commit

    def mask(self, text: str) -> str:
        """Replace the parts that differ from run to run."""
        # The name of a release ends with its commit.
        text = re.sub(*MASKS[0], text)
        for word in sorted(self.names, key=len, reverse=True):
            # It may be broken at the end of a line.
            text = re.sub(r"\s+".join(map(re.escape, word.split())), self.names[word], text)
        for pattern, replacement in MASKS[1:]:
            text = re.sub(pattern, replacement, text)
        return text

    def compare(self, name: str, text: str) -> None:
        """Compare one text, or write it."""
        file, masked = self.directory / f"{name}.txt", self.mask(text)
        self.used.add(file.name)
        if os.environ.get("AUTOUPDATE_GOLDEN") == "write":
            self.directory.mkdir(parents=True, exist_ok=True)
            file.write_text(masked)
        expected = file.read_text()
        if masked != expected:
            lines = (expected.splitlines(), masked.splitlines())
            raise AssertionError("\n".join(difflib.unified_diff(*lines, str(file), "now", n=1)))

    def unused(self) -> set[str]:
        """Return the texts that were not compared with anything."""
        return {file.name for file in self.directory.glob("*.txt")} - self.used
