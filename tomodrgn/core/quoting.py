r"""Text inside other languages: one function for each, through which every foreign string goes.

Names of files, tomograms, particles, classes and columns come from strangers. Where one enters a
page, a script or a table, it reads back as the same text and never as a command or as markup. What
a language cannot say is refused in words. What people alone read shows characters that do not print
(escape sequences of terminals, line breaks, marks that turn the direction of reading, bytes that
are no UTF-8) as escapes, such as ``\x1b``.
"""

from __future__ import annotations

import json
import re
import shlex
from html import escape
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINES: Final = "\n\t"
_FIRST_OF_BYTES: Final = 0xDC00
"""Where Python keeps bytes of a file name that are no UTF-8, as half of a pair of UTF-16."""
_LAST_OF_BYTES: Final = 0xDCFF
_IN_MARKDOWN: Final = re.compile(r"[\\`*<>&\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=:)/")
_FENCE: Final = re.compile(r"`{3,}")
_NEEDS_STAR_QUOTES: Final = re.compile(r"\s|^[#_\"']|^$|[\x00-\x1f\x7f\ud800-\udfff]")
_NOT_IN_STAR: Final = re.compile(r"[\n\r\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_RESERVED_IN_STAR: Final = re.compile(r"(data|loop|save|stop|global)_", re.IGNORECASE)
_STAR_NAME: Final = re.compile(r"[^\s#\"'\x00-\x1f\x7f\ud800-\udfff]+")
_NOT_IN_CHIMERAX: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\";]|\$(?=[\w{])")


def shown(text: str, *, keep: str = "") -> str:
    """Text for people: what does not print is shown as an escape.

    Args:
        text: any text.
        keep: characters that stay, such as line breaks.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def shown_lines(text: str) -> str:
    """The same of text that may have several lines and tabs."""
    return shown(text, keep=_LINES)


def python_text(text: str) -> str:
    """The literal of a string in Python, in ASCII."""
    return ascii(text)


def json_text(text: str) -> str:
    """The literal of a string in JSON, in ASCII, as cells of notebooks hold their lines."""
    return json.dumps(text)


def html_text(text: str) -> str:
    """A string between tags or in the quotes of an attribute."""
    return escape(shown_lines(text))


def xml_attribute(text: str) -> str:
    """A string as the value of an attribute in XML, with its quotes."""
    return f'"{escape(shown(text))}"'


def html_json(value: Any) -> str:
    """A value as JSON between script tags, of which no text can end the script.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def markdown_text(text: str) -> str:
    """A string in a line, or in a cell of a table, of Markdown.

    Underscores inside words stay, as they mean nothing there.
    """
    return _IN_MARKDOWN.sub(lambda found: f"\\{found[0]}", shown(text))


def markdown_row(cells: Iterable[str]) -> str:
    """A row of a table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def markdown_block(text: str) -> str:
    """Lines of text as they are, in a fence that none of them can close."""
    inner = shown_lines(text).removesuffix("\n")
    fence = "`" * max([2, *map(len, _FENCE.findall(inner))])
    return f"{fence}`text\n{inner}\n{fence}`\n"


def star_value(text: str, *, is_first: bool = False) -> str:
    """A value of a STAR file, in quotes where white space or its first letter asks for them.

    Args:
        text: the value.
        is_first: it may begin a line, where the words of the format itself stand.

    Raises:
        DataError: it has line breaks, or white space after quotes of both kinds.
    """
    if not _NEEDS_STAR_QUOTES.search(text):
        if is_first and _RESERVED_IN_STAR.match(text):
            return f'"{text}"'
        return text
    if not _NOT_IN_STAR.search(text):
        for quote in "\"'" if '"' not in text else "'\"":
            if not re.search(rf"{quote}\s", text):
                return f"{quote}{text}{quote}"
    raise DataError(
        f"the value {shown(text)!r} cannot stand in a STAR file, which has no line breaks and one "
        "kind of quotes around a value; give it another name"
    )


def star_name(text: str) -> str:
    """The name of a column or block of a STAR file.

    Raises:
        DataError: it has white space, quotes or a comment sign.
    """
    if text and not _STAR_NAME.fullmatch(text):
        raise DataError(
            f"{shown(text)!r} cannot name a column of a STAR file; use letters, digits and _"
        )
    return text


def chimerax_path(path: str) -> str:
    r"""A file name in quotes, as ChimeraX opens it.

    ChimeraX ends a quoted word at a quote before white space, knows no escapes in file names, puts
    names into the command again before it runs it, where ``;`` ends the command, and fills in
    ``$NAME`` and ``~``.

    Raises:
        DataError: it has quotes, semicolons, line breaks or other signs that ChimeraX would not
            take as part of the name.

    Source:
        ChimeraX, ``chimerax.core.commands.cli`` (``next_token``, ``quote_path_if_necessary``) and
        ``chimerax.open_command``.
    """
    found = _NOT_IN_CHIMERAX.search(path)
    if found is not None or not path:
        sign = "nothing" if found is None else shown(found[0])
        raise DataError(
            f"{shown(path)}: ChimeraX cannot open a file with {sign} in its name; rename it, or "
            "link to it by another name"
        )
    is_bare = not path.startswith(("~", "'")) and ":" not in path.split("/", 1)[0]
    plain = path if is_bare else f"./{path}"
    return f'"{plain}"'


def chimerax_stem(name: str) -> str:
    """A name for a file of our own, with ``_`` for each sign that ChimeraX would not take."""
    return re.sub(r"[^\w.+ -]", "_", shown(name))


def shell_words(words: Iterable[str]) -> str:
    """Words as one line for a shell."""
    return shlex.join(words)


def _escaped(character: str) -> str:
    code = ord(character)
    if _FIRST_OF_BYTES <= code <= _LAST_OF_BYTES:
        return f"\\x{code - _FIRST_OF_BYTES:02x}"
    return ascii(character)[1:-1]
