"""autoupdatectl check"""

from argparse import Namespace

from autoupdate.assemble import ask
from autoupdate.cli.output import show
from autoupdate.cli.render.status import check as words
from autoupdate.cli.verbs.status import facts
from autoupdate.config.load import load
from autoupdate.host.process import builder
from autoupdate.model.errors import Exit, NoCandidateError
from autoupdate.model.paths import Paths


def check(paths: Paths, app: str, chosen: Namespace) -> int:
    """Ask upstream for a new commit; change nothing."""
    settings = load(paths, app)
    current = (facts(paths, app)["current"] or {}).get("commit")
    found = {"app": app, "current": current, "candidate": None, "update": False}
    try:
        candidate = ask(paths, app, settings.upstream, builder()).commit
        found |= {"candidate": candidate, "update": candidate != current}
    except NoCandidateError as error:
        found |= {"reason": error.message}
    show(found, words, chosen)
    return Exit.DONE
