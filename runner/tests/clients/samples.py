"""The samples of gateway/docs/clients.md, as a reader with another address and another key would use them."""

from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "gateway" / "docs" / "clients.md"
ADDRESS, KEY = "http://127.0.0.1:7070", "sk-llmio-…"


def samples(language, base, key):
    """Every sample in this language, as its fence names it."""
    found, lines = [], None
    for line in DOCUMENT.read_text().splitlines():
        if lines is None:
            lines = [] if line == f"```{language}" else None
        elif line == "```":
            text = "\n".join(lines)
            assert ADDRESS in text, f"a sample in {language} names no address that could be replaced: {text}"
            found.append(text.replace(ADDRESS, base).replace(KEY, key))
            lines = None
        else:
            lines.append(line)
    return found
