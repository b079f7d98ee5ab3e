"""Files changed at random: bits, bytes, numbers, words of the format, cuts and repeats."""

from __future__ import annotations

import random
import re

TOKENS = (
    *b"-1 1e999 nan inf 0 1.5 null true data_ loop_ _ # @ { } : , ' \" ../ /dev/zero".split(),
    *(b"!!python/object/apply:os.system", b"&a [*a]", b"[" * 50, b"9" * 30, b"\xf0\x9f\x98\x80"),
    *(b"\x00", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x80\x04", b"\x93NUMPY", b"\xe9"),
    *(b"\n", b"\r", b"\t", b" "),
)
_NUMBER = re.compile(rb"\d+")


def mutated(content: bytes, seed: int) -> bytes:
    """The content with one to four changes, the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311  no secret
    for _ in range(draw.randint(1, 4)):
        content = draw.choice(_CHANGES)(content, draw)
    return content


def _flip_bit(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _set_bytes(content: bytes, draw: random.Random) -> bytes:
    changed, place = bytearray(content), draw.randrange(len(content) + 1)
    token = draw.randbytes(draw.randint(1, 8))
    changed[place : place + len(token)] = token
    return bytes(changed)


def _insert_token(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(TOKENS) + content[place:]


def _replace_number(content: bytes, draw: random.Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    one = draw.choice(found)
    return content[: one.start()] + draw.choice(TOKENS) + content[one.end() :]


def _replace_line(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    lines[draw.randrange(len(lines))] = draw.choice(TOKENS)
    return b"\n".join(lines)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _remove(content: bytes, draw: random.Random) -> bytes:
    first, last = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[min(last, first + 200) :]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    first, last = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    part = content[first : min(last, first + 200)]
    return content[:first] + part * draw.randint(2, 20) + content[first:]


_CHANGES = (
    _flip_bit, _set_bytes, _insert_token, _insert_token, _replace_number, _replace_number,
    _replace_line, _cut, _remove, _repeat,
)  # fmt: skip
