"""Completion for zsh(1); it uses the function _arguments (zshcompsys(1))."""

import argparse

from autoupdate.model.paths import Paths
from docs.completion.words import kind_of, kinds_of, words_of
from docs.verbs import Verb, all_verbs, first_words

FRAME = """\
#compdef autoupdatectl
# Completion of autoupdatectl for zsh, generated from its parser.

_autoupdatectl_apps() {{
    local -a apps=({vendor}/apps/*.toml(N:t:r) {etc}/apps/*.toml(N:t:r))
    compadd -a apps
}}

_autoupdatectl_releases() {{
    local -a releases=({releases}/*(N/:t))
    compadd -a releases
}}

_autoupdatectl_directories() {{
    _directories
}}

_autoupdatectl() {{
    local curcontext=$curcontext state state_descr line
    local -A opt_args
    local -a verbs
    _arguments -C '(- *)'{{-h,--help}}'[show help]' '1: :->verb' '*:: :->rest' && return
    case $state in
    verb)
        verbs=({first})
        _describe verb verbs
        ;;
    rest)
        case $words[1] in
{cases}
        esac
        ;;
    esac
}}

_autoupdatectl "$@"
"""


def script(paths: Paths) -> str:
    """Return the file that zsh loads automatically from its $fpath."""
    verbs = all_verbs()
    cases = []
    for name in first_words():
        verb = verbs[name]
        below = [verbs[f"{name} {word}"] for word in verb.below]
        cases += [f"        {name})", f"            _arguments {' '.join(_specs(verb, below))}",
                  "            ;;"]  # fmt: skip
    return FRAME.format(
        vendor=paths.vendor,
        etc=paths.etc,
        releases=paths.app("*").releases,
        first=" ".join(_quoted(f"{name}:{told}") for name, told in first_words().items()),
        cases="\n".join(cases),
    )


def _specs(verb: Verb, below: list[Verb]) -> list[str]:
    """Return the specifications of a verb for _arguments, with those of the words below it."""
    specs = {"'(- *)'{-h,--help}'[show help]'": None}
    for one in [verb, *below]:
        specs |= dict.fromkeys(_option(action) for action in one.options if action.option_strings)
    offers = [f"_autoupdatectl_{kind}" for kind in kinds_of([verb, *below])]
    words = words_of([verb, *below])
    if words:
        offers.insert(0, f"compadd -- {' '.join(words)}")
    if offers:
        specs[_quoted("*: :{" + "; ".join(offers) + "}")] = None
    return [*specs]


def _option(action: argparse.Action) -> str:
    told = (action.help or "").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    name = str(action.metavar or action.dest.upper())
    function = f"_autoupdatectl_{kind_of(action)}" if kind_of(action) else " "
    value = "" if action.nargs == 0 else f":{name}:{function}"
    return " ".join(_quoted(f"{option}[{told}]{value}") for option in action.option_strings)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
