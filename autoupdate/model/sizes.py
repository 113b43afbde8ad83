"""Sizes and numbers as people write them."""


def in_words(size: float) -> str:
    """Return a number of bytes with its unit: 1.5 KiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.4g} {unit}"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number and what is counted: "1 commit", "2 commits"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
