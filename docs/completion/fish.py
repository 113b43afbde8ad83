"""Completion for fish(1); it uses the builtin `complete`."""

from autoupdate.model.paths import Paths
from docs.completion.words import kind_of, kinds_of, words_of
from docs.verbs import all_verbs, first_words

FRAME = """\
# Completion of autoupdatectl for fish, generated from its parser.

function __autoupdatectl_apps
    for file in {vendor}/apps/*.toml {etc}/apps/*.toml
        string replace --regex '.*/(.*)\\.toml$' '$1' -- $file
    end
end

function __autoupdatectl_releases
    for directory in {releases}/*/
        string replace --regex '.*/([^/]+)/$' '$1' -- $directory
    end
end

function __autoupdatectl_directories
    __fish_complete_directories (commandline --current-token)
end

# Tells whether the words typed so far begin with these; without arguments, whether there are none.
function __autoupdatectl_after
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    set words (string match --invert -- '-*' $words[2..-1])
    test (count $words) -ge (count $argv)
    or return
    test (count $argv) -eq 0 -a (count $words) -eq 0
    or test (count $argv) -gt 0 -a "$words[1..$(count $argv)]" = "$argv"
end

complete --command autoupdatectl --no-files
"""


def script(paths: Paths) -> str:
    """Return the file that fish loads automatically."""
    lines = [_offer("", f"--arguments {word}", meaning) for word, meaning in first_words().items()]
    lines.append(_offer("", "--short-option h --long-option help", "show help"))
    for verb in all_verbs().values():
        for action in verb.options:
            for option in action.option_strings:
                wanted = f"--long-option {option.lstrip('-')}"
                if action.nargs != 0:
                    wanted += " --exclusive"
                if kind_of(action):
                    wanted += f" --arguments '(__autoupdatectl_{kind_of(action)})'"
                lines.append(_offer(verb.name, wanted, action.help or ""))
        offers = words_of([verb])
        offers += [f"'(__autoupdatectl_{kind})'" for kind in kinds_of([verb])]
        lines += [_offer(verb.name, f"--arguments {offer}", "") for offer in offers]
    head = FRAME.format(vendor=paths.vendor, etc=paths.etc, releases=paths.app("*").releases)
    return head + "\n".join(dict.fromkeys(lines)) + "\n"


def _offer(after: str, wanted: str, meaning: str) -> str:
    told = meaning.replace("\\", "\\\\").replace("'", "\\'")
    line = f"complete --command autoupdatectl --condition '__autoupdatectl_after {after}' {wanted}"
    return f"{line} --description '{told}'" if told else line
