"""doctor --fix: the steps that are printed, in their order; a person is asked where it matters."""

from pathlib import Path

from autoupdate.doctor import cure
from autoupdate.doctor.finding import Finding, Step, Text, command

OWNER = Finding("/etc/x", "is owned by alice", (command("chown", "root:", "/etc/x"),))
TIMER = Finding(
    "x.timer", "is not enabled", (command("systemctl", "enable", "x.timer"),), asks=True
)
LATER = Finding("path", "is missing", (command("autoupdatectl", "run"), command("true")), asks=True)
ALONE = Finding("upstream", "is down", advice="autoupdatectl check")


class Sick:
    """A host with problems; a cure may bring another one to light."""

    def __init__(self, *found: Finding) -> None:
        self.found = list(found)
        self.hidden: dict[str, Finding] = {}
        self.steps: list[str] = []
        self.fails = ""

    def do(self, step: Step) -> str:
        """Do a step."""
        self.steps.append(str(step))
        if self.fails and self.fails in str(step):
            return "it does not work"
        healed = [item for item in self.found if item.steps and item.steps[-1] == step]
        for item in healed:
            self.found.remove(item)
            if item.about in self.hidden:
                self.found.append(self.hidden[item.about])
        return ""

    def heal(self, *, agrees: bool) -> list[cure.Treated]:
        """Heal it."""
        return cure.heal(list(self.found), lambda: list(self.found), self.do, lambda _: agrees)


def test_steps_are_done_in_their_order() -> None:
    host = Sick(OWNER, TIMER, LATER, ALONE)
    done = host.heal(agrees=True)
    assert [item.done for item in done] == [True, True, True]
    assert host.steps == [
        "chown root: /etc/x", "systemctl enable x.timer", "autoupdatectl run", "true",
    ]  # fmt: skip
    assert host.found == [ALONE], "left to a person"


def test_a_person_who_does_not_agree() -> None:
    host = Sick(OWNER, TIMER)
    done = host.heal(agrees=False)
    assert [(item.finding.about, item.done, item.why) for item in done] == [
        ("/etc/x", True, ""), ("x.timer", False, "not agreed to"),
    ]  # fmt: skip
    assert host.found == [TIMER]


def test_what_a_cure_brings_to_light_is_healed_too() -> None:
    host = Sick(OWNER)
    host.hidden = {"/etc/x": LATER}
    assert [item.finding.about for item in host.heal(agrees=True)] == ["/etc/x", "path"]
    assert host.found == []


def test_a_step_that_fails_ends_its_cure_and_is_not_tried_for_ever() -> None:
    host = Sick(LATER, OWNER)
    host.fails = "autoupdatectl run"
    done = host.heal(agrees=True)
    assert [(item.done, item.why) for item in done] == [(False, "it does not work"), (True, "")]
    assert host.steps == ["autoupdatectl run", "chown root: /etc/x"]


def test_file_that_is_written(tmp_path: Path) -> None:
    text = Text(f"{tmp_path}/web.service.d/x y.conf", ("[Service]", "ReadWritePaths=-/a'b"))
    assert cure.do(text) == ""
    assert Path(text.file).read_text() == "[Service]\nReadWritePaths=-/a'b\n"
    assert "install -D --mode=644 /dev/stdin" in str(text)
