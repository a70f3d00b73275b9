"""How names and sizes read in the agent's messages."""

LONGEST_NAME = 120


def quoted(name: str) -> str:
    """A name out of an archive as it may be shown: escaped, and short."""
    text = repr(name)
    if len(text) <= LONGEST_NAME:
        return text
    half = LONGEST_NAME // 2
    return f"{text[:half]}…{text[-half:]}"


def size(count: int) -> str:
    """Bytes as a person reads them: 312.0 MiB."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}" if unit != "bytes" else f"{count} bytes"
        amount /= 1024
    return f"{amount:.1f} GiB"
