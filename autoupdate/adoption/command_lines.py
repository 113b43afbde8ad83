"""What a command line or a shell script does to an app: does it update the app's directory?

Read as text, never executed. Only what is certain counts: a directory that depends on something
unknown is not the app's. So a line that only reads the directory is never taken for an updater.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

UPDATES = frozenset({
    "pull", "fetch", "reset", "checkout", "merge", "rebase", "switch",
})  # fmt: skip
RESTARTS = frozenset({"restart", "try-restart", "reload-or-restart", "try-reload-or-restart"})
SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
# Programs that run another one: their options with a value, and how many words precede it.
AROUND = {
    "sudo": ("ugphCTrtDR", 0), "doas": ("uC", 0), "nice": ("n", 0), "ionice": ("cnpPu", 0),
    "nohup": ("", 0), "setsid": ("", 0), "time": ("fo", 0), "exec": ("a", 0), "command": ("", 0),
    "chronic": ("", 0), "stdbuf": ("ioe", 0), "timeout": ("ks", 1), "flock": ("wEc", 1),
    "env": ("uCS", 0), "runuser": ("ugGcs", 0), "su": ("gGcs", 1), "systemd-cat": ("tp", 0),
    "systemd-inhibit": ("", 0), "systemd-run": ("pEuHM", 0), "cronic": ("", 0),
}  # fmt: skip
LONG = frozenset({
    "--user", "--group", "--chdir", "--signal", "--kill-after", "--timeout", "--adjustment",
    "--uid", "--gid", "--unit", "--property", "--class", "--classdata",
})  # fmt: skip
# Words of the shell that stand before a command.
KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"})
DECLARE = frozenset({"export", "readonly", "declare", "local", "typeset"})
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^{}]*))?\}|(\w+))")
ITSELF = r'"?\$(?:0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(?:\[0\])?\})"?'
DIRECTORY = re.compile(
    rf'\$\(\s*dirname (?:-- )?(?:"?\$\((?:readlink -f|realpath) {ITSELF}\)"?|{ITSELF})\s*\)'
)
ENTERED = re.compile(
    r'\$\(\s*cd (?:-- |-P )?"?([^"()$]+)"?\s*(?:>\s*/dev/null[^;&]*)?(?:&&|;)\s*pwd(?: -P)?\s*\)'
)
INNER = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
# What follows it in a script is data, unless a shell reads it.
HERE = re.compile(r"<<-?\s*[\"'\\]?([A-Za-z_]\w*)")
READ_BY_SHELL = re.compile(r"\b((ba|da|k|z)?sh|su|sudo)\b")
DEEPEST = 4


class Subject(NamedTuple):
    """The app that a command may update; `read` returns the text of a script, or nothing."""

    path: str
    services: Sequence[str]
    read: Callable[[str], str]

    def has(self, place: str) -> bool:
        """Return whether a place is the app's directory, or in it."""
        if "$" in place or "\0" in place or not place.startswith("/"):
            return False
        ours = {self.path, os.path.realpath(self.path)}
        return any(
            name == own or name.startswith(f"{own}/")
            for name in (os.path.normpath(place), os.path.realpath(place))
            for own in ours
        )


class Deed(NamedTuple):
    """What a command does, for people; `script` and `line` say where, if a script does it."""

    what: str
    restarts_only: bool = False
    script: str = ""
    line: int = 0

    @property
    def why(self) -> str:
        """The deed, with the script that does it."""
        return (
            f"runs {self.script}, whose line {self.line} {self.what}" if self.script else self.what
        )


class Shell:
    """Follows a shell through command lines: its directory, its variables, what it does."""

    def __init__(
        self, subject: Subject, directory: str, variables: dict[str, str], *, script: str = ""
    ) -> None:
        self.subject = subject
        self.directory = directory
        self.variables = dict(variables)
        self.script = script
        self.before = ""
        self.pushed: list[str] = []
        self.outside: list[str] = []
        """The directories of the shells around a subshell."""

    def deeds(self, text: str, depth: int = 0) -> Iterator[Deed]:
        """Yield what the commands of a text do to the app."""
        for command in commands(self._known(text)):
            yield from self._command([self._expanded(word) for word in command], depth)
            for word in command:
                for found in INNER.finditer(word) if depth < DEEPEST else ():
                    yield from self.deeds(found[1] or found[2] or "", depth + 1)

    def in_script(self, text: str) -> Iterator[Deed]:
        """Yield what a shell script does."""
        until = ""
        for number, line in logical_lines(text):
            if until:
                until = "" if line.strip() == until else until
                continue
            here = HERE.search(line)
            if here and not READ_BY_SHELL.search(line):
                until = here[1]
            for deed in self.deeds(line):
                yield deed._replace(script=self.script, line=number)

    def _known(self, text: str) -> str:
        """Put in the directory of the script, however it asks for that."""
        if self.script:
            text = DIRECTORY.sub(lambda _: os.path.dirname(self.script), text)
        return ENTERED.sub(lambda found: found[1].strip(), text)

    def _expanded(self, word: str) -> str:
        def value(found: re.Match[str]) -> str:
            return self.variables.get(found[1] or found[3], found[2] or found[0])

        word = VARIABLE.sub(value, word)
        if word == "~" or word.startswith("~/"):
            return self.variables.get("HOME", "~") + word[1:]
        return word

    def _place(self, word: str) -> str:
        """Return the absolute path that a word means here."""
        return os.path.join(self.directory, word)

    def _command(self, words: list[str], depth: int) -> Iterator[Deed]:
        if words == ["("]:
            self.outside.append(self.directory)
        elif words == [")"] and self.outside:
            self.directory = self.outside.pop()
        elif words[:1] == ["for"] and words[2:3] == ["in"]:
            chosen = [word for word in words[3:] if self.subject.has(self._place(word))]
            self.variables[words[1]] = ["", *words[3:], *chosen][-1]
            return
        while words and (words[0] in KEYWORDS or words[0] in DECLARE):
            words = words[1:]
        while words and (found := ASSIGNMENT.fullmatch(words[0])):
            self.variables[found[1]] = found[2]
            words = words[1:]
        if not words or depth > DEEPEST:
            return
        program, rest = os.path.basename(words[0].lstrip("-+@!:")), words[1:]
        if program in ("cd", "pushd", "popd"):
            self._enter(program, rest)
        elif program in SHELLS or program in ("su", "runuser", "flock"):
            yield from self._shell(program, rest, depth)
        elif program in AROUND:
            yield from self._command(self._after(program, rest), depth + 1)
        elif program == "git":
            yield from self._git(rest)
        elif program in ("systemctl", "service"):
            yield from self._restart(rest)
        elif is_pip(program, rest):
            yield from self._pip(words)
        elif "/" in words[0]:
            yield from self._called(words[0].lstrip("-+@!:"))

    def _enter(self, program: str, rest: list[str]) -> None:
        """Change the directory; an unknown one is empty."""
        before = self.directory
        if program == "popd":
            self.directory = self.pushed.pop() if self.pushed else ""
        elif rest == ["-"]:
            self.directory = self.before
        else:
            target = [word for word in rest if not word.startswith("-")]
            self.directory = self._place(target[0] if target else self.variables.get("HOME", "/"))
        if program == "pushd":
            self.pushed.append(before)
        self.before = before

    def _shell(self, program: str, rest: list[str], depth: int) -> Iterator[Deed]:
        """A command in one word after -c, a script, or a command as words."""
        for number, word in enumerate(rest[:-1]):
            if re.fullmatch(r"-[A-Za-z]*c|--command", word):
                yield from self.deeds(rest[number + 1], depth + 1)
                return
        if program in AROUND:
            yield from self._command(self._after(program, rest), depth + 1)
            return
        scripts = [word for word in rest if not word.startswith(("-", "+"))]
        if scripts:
            yield from self._called(scripts[0])

    def _after(self, program: str, rest: list[str]) -> list[str]:
        """Return the command that a program runs."""
        valued, before = AROUND[program]
        while rest and (rest[0].startswith("-") or before or ASSIGNMENT.fullmatch(rest[0])):
            word, rest = rest[0], rest[1:]
            if word == "--":
                return rest[before:]
            if not word.startswith("-"):
                before -= not ASSIGNMENT.fullmatch(word)
            elif not word.startswith("--") and word[-1] in valued:
                if word.endswith(("D", "C")) and rest:
                    self.directory = self._place(rest[0])
                rest = rest[1:]
            elif word in LONG and (program, word) != ("systemd-run", "--user"):
                self.directory = (
                    self._place(rest[0]) if rest and word == "--chdir" else self.directory
                )
                rest = rest[1:]
            elif word.startswith("--chdir="):
                self.directory = self._place(word.partition("=")[2])
        return rest

    def _git(self, rest: list[str]) -> Iterator[Deed]:
        directory = self.directory
        while rest and rest[0].startswith("-"):
            option, rest = rest[0], rest[1:]
            key, _, value = option.partition("=")
            if option in ("-C", "-c", "--git-dir", "--work-tree", "--namespace"):
                value, rest = (rest[0], rest[1:]) if rest else ("", [])
            if key in ("-C", "--git-dir", "--work-tree"):
                directory = os.path.join(directory, value)
        if rest and rest[0] in UPDATES and self.subject.has(directory):
            yield Deed(f"runs git {rest[0]} in {self.subject.path}")

    def _pip(self, words: list[str]) -> Iterator[Deed]:
        values = [word.partition("=")[2] or word for word in words]
        named = [self._place(value) for value in values if "/" in value or value == "."]
        if self.subject.has(self.directory) or any(map(self.subject.has, named)):
            yield Deed(f"runs pip install in {self.subject.path}")

    def _restart(self, rest: list[str]) -> Iterator[Deed]:
        words = [word for word in rest if not word.startswith("-")]
        named = {word if "." in word else f"{word}.service" for word in words}
        found = [name for name in self.subject.services if name in named and "--user" not in rest]
        if found and RESTARTS & set(words):
            yield Deed(f"restarts {', '.join(found)}", restarts_only=True)

    def _called(self, word: str) -> Iterator[Deed]:
        """A script: it is read, but not the scripts that it calls itself."""
        if self.script:
            return
        file = self._place(word)
        text = self.subject.read(file)
        if is_shell(text):
            yield from Shell(self.subject, self.directory, self.variables, script=file).in_script(
                text
            )


def is_pip(program: str, rest: Sequence[str]) -> bool:
    """Return whether a command installs packages."""
    if re.fullmatch(r"python[0-9.]*", program) and "-m" in rest:
        rest = rest[rest.index("-m") + 1 :]
        program = rest[0] if rest else ""
    if program == "uv":
        return list(rest[:1]) == ["sync"] or ("pip" in rest[:2] and "install" in rest)
    return re.fullmatch(r"pip[0-9.]*", program) is not None and "install" in rest


def is_shell(text: str) -> bool:
    """Return whether a text is a shell script."""
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return re.search(r"\b(ba|da|k|z)?sh\b", first) is not None
    return bool(text) and "\0" not in text


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a script with their numbers; those that go on are joined."""
    begun, joined = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        begun = begun or number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield begun, joined + line
        begun, joined = 0, ""


def commands(text: str) -> Iterator[list[str]]:
    """Yield the simple commands of a line, each as its words, without redirections.

    Brackets of a subshell are commands of their own.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        tokens = list(lexer)
    except ValueError:
        # A quote that goes on in the next line.
        tokens = text.split()
    command: list[str] = []
    skip = False
    for token in tokens:
        if skip:
            skip = False
        elif token.startswith("#"):
            break
        elif not token or set(token) - set("();<>|&"):
            command.append(token)
        elif set(token) & set("<>"):
            skip = True
        else:
            yield command
            command = []
            yield from ([character] for character in token if character in "()")
    yield command
