"""Draws docs/map.svg: the rooms, their modules, and an arrow for each pair that imports another.

Read from the code, so that it cannot lie; a test holds the picture against it.
"""

from collections import Counter
from html import escape
from pathlib import Path

from tools.lib.rooms import MODULES, ROOMS, imports, inner, room

MAP = Path(__file__).parents[2] / "docs/map.svg"
ASKED = {
    "cli": "What does a verb do, and what is printed?",
    "assemble": "Where does the real X come from?",
    "service_start": "Why did my service wait?",
    "reports": "Who decides this word of status?",
    "doctor": "what is wrong here, and what heals it?",
    "adoption": "What does adopt move?",
    "update": "What happens after fetch?",
    "gates": "Who said no?",
    "notifications": "Who sends mail?",
    "app": "What is a step given?",
    "worker": "What runs as _autoupdate?",
    "upstream": "How is upstream asked?",
    "records": "What is remembered?",
    "host": "Who calls systemctl?",
    "config": "What does this key mean?",
    "model": "What do the words mean?",
}
# The sentence of an update comes in its order, the rest after it.
SENTENCE = (
    "run", "update", "recover", "check", "fetch", "verify", "guard", "build", "rehearse",
    "activate", "probation", "confirm", "roll_back",
)  # fmt: skip
COLOURS = ("#1b5e8c", "#8c3b1b", "#2e7d32", "#6a1b8c", "#8c6d1b", "#1b8c86", "#8c1b50", "#4a5568")
LEFT, WIDTH, LINE, PADDING, GAP = 16, 620, 16, 10, 12
# What fits into a line of a box.
CHARACTERS = 104


def drawn() -> str:
    """Return the picture."""
    boxes, top = {}, 16
    texts = []
    for name in ROOMS:
        lines = wrapped(name)
        height = PADDING * 2 + LINE * (1 + len(lines))
        boxes[name] = (top, height)
        texts += box(name, lines, top, height)
        top += height + GAP
    arrows = [
        arrow(boxes, above, below, number)
        for (above, below), number in sorted(counted().items(), key=lambda item: -span(item[0]))
    ]
    width = LEFT + WIDTH + 19 * len(ROOMS)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}"'
        ' font-family="DejaVu Sans, sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        *arrows, *texts, "</svg>", "",
    ])  # fmt: skip


def counted() -> Counter[tuple[str, str]]:
    """Return how many imports lead from one room to another."""
    found: Counter[tuple[str, str]] = Counter()
    for module, tree in MODULES.items():
        for used in set(imports(tree)):
            if room(used) != room(module):
                found[room(module), room(used)] += 1
    return found


def span(pair: tuple[str, str]) -> int:
    """Return how many rooms an arrow goes down."""
    return ROOMS.index(pair[1]) - ROOMS.index(pair[0])


def wrapped(name: str) -> list[str]:
    """Return the modules of a room in lines; those of each inner folder in lines of their own."""
    groups: dict[str, list[str]] = {}
    for module in MODULES:
        first, *others = module.split(".")
        if first == name and others and others[-1] != "__main__":
            folder = inner(module)
            if [folder] != others:
                groups.setdefault(folder, []).append(others[-1])
    if name == "update":
        others = [word for word in groups["."] if word not in SENTENCE]
        groups["."] = [*SENTENCE, *others]
    lines = []
    for folder, modules in sorted(groups.items()):
        lines.append("" if folder == "." else f"{folder}/ ")
        for module in modules:
            if len(lines[-1]) + len(module) > CHARACTERS:
                lines.append("")
            lines[-1] += module + " · "
        lines[-1] = lines[-1].removesuffix(" · ")
    return lines


def box(name: str, lines: list[str], top: int, height: int) -> list[str]:
    """Draw a room: its name, what a stranger asks there, its modules."""
    file = not any(module.startswith(f"{name}.") for module in MODULES)
    title = f"{name}.py" if file else f"{name}/"
    first = top + PADDING + 11
    return [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{height}" rx="5" fill="#f7f7f4"'
        f' stroke="{colour(name)}"/>',
        f'<text x="{LEFT + 10}" y="{first}" font-size="13" font-weight="bold"'
        f' fill="{colour(name)}">{escape(title)}</text>',
        f'<text x="{LEFT + WIDTH - 10}" y="{first}" text-anchor="end" font-style="italic"'
        f' fill="#555">{escape(ASKED[name])}</text>',
        *(
            f'<text x="{LEFT + 10}" y="{first + LINE * (number + 1)}">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
    ]


def arrow(boxes: dict[str, tuple[int, int]], above: str, below: str, number: int) -> str:
    """Draw what one room imports of another: from its lower part out to the right and back in."""
    (top, height), (low, low_height) = boxes[above], boxes[below]
    places = len(ROOMS)
    start = top + height * (0.35 + 0.6 * ROOMS.index(below) / places)
    end = low + low_height * (0.05 + 0.6 * ROOMS.index(above) / places)
    edge = LEFT + WIDTH
    out = edge + 18 + 24 * span((above, below))
    # By powers of two, so that one more import does not make it another picture.
    weight = 0.3 + 0.5 * number.bit_length()
    return (
        f'<path d="M{edge} {start:.1f} C{out} {start:.1f} {out} {end:.1f} {edge + 6} {end:.1f}"'
        f' fill="none" stroke="{colour(above)}" stroke-width="{weight:.1f}" opacity="0.6">'
        f"<title>{above} imports {below}</title></path>"
        f'<path d="M{edge} {end:.1f} l7 -3.5 v7 z" fill="{colour(above)}"/>'
    )


def colour(name: str) -> str:
    """Return the colour of a room and of its arrows."""
    return COLOURS[ROOMS.index(name) % len(COLOURS)]


if __name__ == "__main__":
    MAP.write_text(drawn())
