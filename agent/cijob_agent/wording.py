"""How names, paths and sizes read in what the agent says."""

LONGEST_NAME = 120
# The gateway takes 1,024 characters, and 1 MiB of all together; in JSON one has up to 12 bytes.
LONGEST_PATH = 500


def quoted(name: str) -> str:
    """A name out of an archive as it may be shown: escaped, and short."""
    text = repr(name)
    if len(text) <= LONGEST_NAME:
        return text
    half = LONGEST_NAME // 2
    return f"{text[:half]}…{text[-half:]}"


def shown(path: str) -> str:
    """A path of the workspace as text: bytes that are no UTF-8 replaced, the middle left out."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(text) <= LONGEST_PATH:
        return text
    half = LONGEST_PATH // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def size(count: int) -> str:
    """Bytes as a person reads them: 312.0 MiB."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}" if unit != "bytes" else f"{count} bytes"
        amount /= 1024
    return f"{amount:.1f} GiB"
