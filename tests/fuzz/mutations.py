"""Changes that keep the form of an input: its words, cells and fields, or the values of a JSON tree."""

from __future__ import annotations

import json
import random
import re
from typing import Any

_WORDS = re.compile(rb"""[A-Za-z0-9_.+\-]+|[^A-Za-z0-9_.+\-]""")
_TEXTS = re.compile(rb"""(?<=[>"])[^<>"\n]*(?=[<"])""")
_JSON_VALUES: list[Any] = [None, True, False, 0, -1, 1.5, 10**31, "", "x", [], {}, [[]], [{}], {"value": None}]
_LONGEST = 8


def change_words(content: bytes, words: list[bytes], rng: random.Random) -> bytes:
    """Answers the content with some words replaced, repeated, moved, left out or added."""
    pieces = _WORDS.findall(content) or [b""]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        span = rng.randint(1, rng.choice((1, _LONGEST, 60)))
        way = rng.randrange(6)
        if way <= 1:
            pieces[place] = rng.choice(words)
        elif way == 2:
            pieces.insert(place, rng.choice(words))
        elif way == 3:
            pieces[place : place + span] = []
        elif way == 4:
            pieces[place:place] = pieces[other : other + span]
        else:
            pieces[place], pieces[other] = pieces[other], pieces[place]
        pieces = pieces or [b""]
    return b"".join(pieces)


def change_texts(content: bytes, words: list[bytes], rng: random.Random) -> bytes | None:
    """Answers XML with one or two of its texts or attributes changed, None for what has none."""
    places = [found.span() for found in _TEXTS.finditer(content)]
    if not places:
        return None
    for start, stop in sorted({rng.choice(places) for _ in range(rng.randint(1, 2))}, reverse=True):
        content = content[:start] + rng.choice(words) + content[stop:]
    return content


def change_tree(content: bytes, words: list[bytes], rng: random.Random) -> bytes | None:
    """Answers JSON with one or two of its values changed, None for what is no JSON."""
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    try:
        tree = json.loads(lines[place])
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict | list) or not tree:
        return None
    for _ in range(rng.randint(1, 2)):
        _change_node(tree, [word.decode("utf-8", "replace") for word in words], rng)
    lines[place] = json.dumps(tree, separators=(",", ":")).encode()
    return b"\n".join(lines)


def _change_node(tree: Any, words: list[str], rng: random.Random) -> None:
    nodes = list(_list_nodes(tree))
    parent = rng.choice(nodes)
    if isinstance(parent, list):
        _change_list(parent, nodes, words, rng)
        return
    key = rng.choice(list(parent)) if parent else rng.choice(words)
    way = rng.randrange(4)
    if way == 0:
        parent.pop(key, None)
    elif way == 1:
        parent[rng.choice(words)] = parent.pop(key, None)
    else:
        parent[key] = _choose(nodes, words, rng)


def _change_list(parent: list[Any], nodes: list[Any], words: list[str], rng: random.Random) -> None:
    place = rng.randrange(len(parent) + 1)
    if rng.random() < 0.5 or place == len(parent):
        parent.insert(place, json.loads(json.dumps(rng.choice(parent))) if parent else _choose(nodes, words, rng))
    elif rng.random() < 0.5:
        parent[place] = _choose(nodes, words, rng)
    else:
        del parent[place]


def _choose(nodes: list[Any], words: list[str], rng: random.Random) -> Any:
    way = rng.random()
    if way < 0.5:
        return rng.choice(words)
    found = rng.choice(_JSON_VALUES) if way < 0.8 else rng.choice(nodes)
    return json.loads(json.dumps(found))


def _list_nodes(tree: Any) -> list[Any]:
    """Answers every object and array of a tree."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        inner = node.values() if isinstance(node, dict) else node
        waiting.extend(one for one in inner if isinstance(one, dict | list))
    return found
