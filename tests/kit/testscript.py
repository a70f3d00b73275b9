"""The script of template `test`, as the chart puts it together from its files."""

from pathlib import Path

FILES = Path(__file__).resolve().parents[2] / "charts" / "cijob" / "files" / "templates"


def _whole() -> str:
    script = (FILES / "test.sh").read_text()
    for name in ("recorder.py", "selection.py"):
        script = script.replace(f"@{name}@\n", (FILES / name).read_text())
    return script


SCRIPT = _whole()
