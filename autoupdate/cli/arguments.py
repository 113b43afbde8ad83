"""The arguments of each verb."""

import argparse

# How a transaction can end (autoupdate.model.steps.Result).
RESULTS = ("updated", "deferred", "failed", "rolled-back", "broken", "interrupted", "unreachable")
GATE_ENABLE = "Check for updates before each start of a service, by a drop-in of its unit"
GATE_DISABLE = "Let a service start without a check for updates"
EXEC_USAGE = "autoupdatectl exec [-h] [APP] -- COMMAND ..."
EVERY_APP_HELP = "name of the app (default: every app on this host)"
CONFIG_CHECK = "List errors and warnings in the settings"
CONFIG_SHOW = "List every setting and the file that sets it"
APP_HELP = "name of the app (default: the only app on this host, or else ipfs-accelerate)"


def with_app(of: argparse.ArgumentParser, meaning: str = APP_HELP) -> None:
    """Add the arguments APP and --json to a verb."""
    of.add_argument("app", nargs="?", metavar="APP", help=meaning)
    with_json(of)


def with_json(of: argparse.ArgumentParser) -> None:
    """Add --json to a verb."""
    of.add_argument("--json", action="store_true", help="print JSON")


def with_words(
    of: argparse.ArgumentParser, subject: str, meaning: str, options: str = "[--json]"
) -> None:
    """Add an optional subject, an optional APP and --json to a verb; see operands.py."""
    of.usage = f"{of.prog} [-h] {options} [{subject}] [APP]"
    of.add_argument("words", nargs="*", metavar=subject, help=meaning)
    with_json(of)


def run(of: argparse.ArgumentParser) -> None:
    """Arguments of `run`."""
    no_wait(of)
    of.add_argument(
        "--force",
        action="store_true",
        help="ignore windows, ages, quarantine and waiting times; never signature checks",
    )
    with_app(of)


def rollback(of: argparse.ArgumentParser) -> None:
    """Arguments of `rollback`."""
    no_wait(of)
    meaning = (
        "release to switch to: its name as `history` shows it, `previous` (the default), or the"
        " beginning of its name or commit"
    )
    with_words(of, "RELEASE", meaning, "[--no-wait] [--json]")


def rebuild(of: argparse.ArgumentParser) -> None:
    """Arguments of `rebuild`."""
    no_wait(of)
    of.add_argument(
        "--upgrade",
        action="store_true",
        help="take the newest versions of all packages that the app's requirements allow",
    )
    of.add_argument("--force", action="store_true", help="switch to it also outside of windows")
    with_app(of)


def no_wait(of: argparse.ArgumentParser) -> None:
    """Add --no-wait to a verb."""
    of.add_argument(
        "--no-wait",
        action="store_true",
        help="exit with code 75 at once if another run is under way",
    )


def quarantine(of: argparse.ArgumentParser) -> None:
    """Arguments of `quarantine`."""
    with_words(of, "clear COMMIT", "remove this commit from quarantine, so that it is tried again")
    of.usage = f"{of.prog} [-h] [--json] [clear COMMIT | clear --all] [APP]"
    of.add_argument("--all", action="store_true", help="with `clear`: remove all commits")


def adopt(of: argparse.ArgumentParser) -> None:
    """Arguments of `adopt`."""
    of.add_argument(
        "--look", action="store_true", help="show what would be taken over; change nothing"
    )
    of.add_argument(
        "--leave-commits",
        action="store_true",
        help="continue without the commits that upstream does not have; the mirror keeps them",
    )
    of.add_argument("path", metavar="PATH", help="directory that the services run from")
    with_app(of)


def rename(of: argparse.ArgumentParser) -> None:
    """Arguments of `rename`."""
    of.add_argument("old", metavar="OLD", help="name of the app")
    of.add_argument("new", metavar="NEW", help="its new name")
    with_json(of)
    of.set_defaults(app=None, every=True)


def forget(of: argparse.ArgumentParser) -> None:
    """Arguments of `forget`."""
    of.add_argument("--yes", action="store_true", help="do not ask whether to remove it")
    of.add_argument(
        "--shared", action="store_true", help="remove the files that outlive releases, too"
    )
    of.add_argument("app", metavar="APP", help="name of the app")
    with_json(of)


def accept_rewrite(of: argparse.ArgumentParser) -> None:
    """Arguments of `accept-rewrite`."""
    of.add_argument("commit", metavar="COMMIT", help="the commit, as the refusal shows it")
    with_app(of)


def hold(of: argparse.ArgumentParser) -> None:
    """Arguments of `hold`."""
    of.add_argument(
        "--until",
        metavar="TIME",
        help='end of the hold: "2026-12-24", "2026-12-24 18:00" (local time), a time in the format'
        ' of RFC 3339, or a time span from now such as "2d" (default: until `unhold`)',
    )
    of.add_argument("--reason", default="", metavar="TEXT", help="reason, shown by `status`")
    with_app(of)


def pin(of: argparse.ArgumentParser) -> None:
    """Arguments of `pin`."""
    of.add_argument(
        "commit",
        metavar="COMMIT",
        help="the full commit, or at least the first seven digits of a commit in the mirror",
    )
    with_app(of)


def status(of: argparse.ArgumentParser) -> None:
    """Arguments of `status`."""
    with_app(of, EVERY_APP_HELP)
    of.set_defaults(every=True)


def config(of: argparse.ArgumentParser) -> None:
    """Add the verbs of `config`."""
    below = of.add_subparsers(dest="what", metavar="VERB", required=True)
    check = below.add_parser(
        "check", help=CONFIG_CHECK, description=f"{CONFIG_CHECK}.", allow_abbrev=False
    )
    with_app(check, EVERY_APP_HELP)
    check.set_defaults(does="config.check", every=True)
    show = below.add_parser(
        "show", help=CONFIG_SHOW, description=f"{CONFIG_SHOW}.", allow_abbrev=False
    )
    with_app(show)
    show.set_defaults(does="config.show")


def gate(of: argparse.ArgumentParser) -> None:
    """Add the verbs of `gate`."""
    below = of.add_subparsers(dest="what", metavar="VERB", required=True)
    for name, described in (("enable", GATE_ENABLE), ("disable", GATE_DISABLE)):
        added = below.add_parser(
            name, help=described, description=f"{described}.", allow_abbrev=False
        )
        added.add_argument("service", metavar="SERVICE", help="unit of the service")
        with_app(added)
        added.set_defaults(does=f"gate.{name}")
    # The drop-in says which app it is for.
    added.set_defaults(every=True)


def plan(of: argparse.ArgumentParser) -> None:
    """Arguments of `plan`."""
    of.add_argument("--force", action="store_true", help="show what `run --force` would do")
    with_app(of)


def show(of: argparse.ArgumentParser) -> None:
    """Arguments of `show`."""
    of.add_argument(
        "--log",
        action="store_true",
        help="show what its build, rehearsal and hooks printed, also if the release failed",
    )
    of.add_argument(
        "release",
        metavar="RELEASE",
        help="release: current, previous, or the first characters of its name or of its commit",
    )
    with_app(of)


def history(of: argparse.ArgumentParser) -> None:
    """Arguments of `history`."""
    of.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="how many to list (default: 20)"
    )
    of.add_argument(
        "--result",
        action="append",
        type=results,
        default=[],
        metavar="RESULT",
        help=f"only updates with these results, separated by commas: {', '.join(RESULTS)}",
    )
    of.add_argument(
        "--since",
        metavar="TIME",
        help='only updates since this time: as in `hold --until`, but "2d" means two days ago',
    )
    with_app(of)


def notify(of: argparse.ArgumentParser) -> None:
    """Arguments of `notify`."""
    of.add_argument("--test", action="store_true", help="send a test message to each target")
    with_app(of)


def doctor(of: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    of.add_argument(
        "--fix",
        action="store_true",
        help="type these commands; ask before those that restart services, remove something, or"
        " undo what somebody may have wanted",
    )
    of.add_argument("--yes", action="store_true", help="with --fix: do not ask")
    with_app(of)


def execute(of: argparse.ArgumentParser) -> None:
    """Arguments of `exec`."""
    of.usage = EXEC_USAGE
    of.add_argument("app", nargs="?", metavar="APP", help=APP_HELP)
    of.set_defaults(json=False)


def results(text: str) -> list[str]:
    """Accept names of results, separated by commas."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in RESULTS:
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(RESULTS)}")
    return words


def positive(text: str) -> int:
    """Accept a whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)
