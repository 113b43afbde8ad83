"""The administrator's word: a commit that is pinned, or that `upstream.track` names itself.

It goes past lineage and past moved tags; of signatures it says nothing.
"""

from autoupdate.app import App
from autoupdate.model.track import kind_of, name_of


def is_named(app: App, commit: str) -> bool:
    """Tell whether the administrator asked for this very commit."""
    track = app.settings.upstream.track
    if kind_of(track) == "commit" and name_of(track) == commit:
        return True
    return bool(app.store.rows('SELECT 1 FROM pin WHERE "commit" = ?', [commit]))
