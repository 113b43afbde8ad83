"""Completion for bash(1); it uses builtins only."""

from autoupdate.model.paths import Paths
from docs.completion.words import kind_of, kinds_of, names_of, words_of
from docs.verbs import all_verbs, first_words

FRAME = """\
# Completion of autoupdatectl for bash, generated from its parser.

# compgen expands the words that it is given, and upstream's code could create a directory with an
# evil name among the releases. So only plain names are passed on.
_autoupdatectl_names() {{
    local name
    for name; do
        name=${{name%/}}
        name=${{name##*/}}
        name=${{name%.toml}}
        [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] && printf '%s\\n' "$name"
    done
}}

_autoupdatectl_apps() {{
    _autoupdatectl_names {vendor}/apps/*.toml {etc}/apps/*.toml
}}

_autoupdatectl_releases() {{
    _autoupdatectl_names {releases}/*/
}}

_autoupdatectl() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    local index verb= options= offers=
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "${{verb:+$verb }}${{COMP_WORDS[index]}}" in
{known}
            verb+=${{verb:+ }}${{COMP_WORDS[index]}} ;;
        esac
    done
    case $verb in
{verbs}
    esac
    if [[ $current == -* ]]; then
        offers=$options
    fi
    case "$verb $previous" in
{values}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$current")
}}

complete -F _autoupdatectl autoupdatectl
"""


def script(paths: Paths) -> str:
    """Return the script that bash sources."""
    verbs = all_verbs()
    cases = [f"    '') options='-h --help' offers='{' '.join(first_words())}' ;;"]
    values = []
    for verb in verbs.values():
        kinds = kinds_of([verb])
        offers = _offers(words_of([verb]), kinds)
        directories = " compopt -o plusdirs ;;" if "directories" in kinds else " ;;"
        options = " ".join([*names_of(verb), "--help"])
        cases.append(f"    '{verb.name}') options='{options}' offers={offers}{directories}")
        for action in verb.options:
            if action.nargs != 0:
                kind = kind_of(action)
                directories = " compopt -o plusdirs ;;" if kind == "directories" else " ;;"
                offers = _offers([], [kind] if kind else [])
                values += [f"    '{verb.name} {option}') offers={offers}{directories}"
                           for option in action.option_strings]  # fmt: skip
    return FRAME.format(
        vendor=paths.vendor,
        etc=paths.etc,
        releases=paths.app("*").releases,
        known=" | \\\n".join(f"            '{name}'" for name in verbs) + ")",
        verbs="\n".join(cases),
        values="\n".join(values),
    )


def _offers(words: list[str], kinds: list[str]) -> str:
    found = [f"$(_autoupdatectl_{kind})" for kind in kinds if kind != "directories"]
    return f'"{" ".join([*words, *found])}"'
