"""A bulk export says the same whether it lies in a folder or comes as one body, whatever is wrong with it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from export_sets import build_files, build_manifest, join_set, save_set, tell_all, write_lines
from fhir_documents import BASE, A, B, C, N
from hypothesis import event, given, settings
from hypothesis import strategies as st

from service.domain.errors import UnreadableFile

STEADY = settings(derandomize=True, max_examples=200, deadline=None)
FILES = build_files([A, B, C], N)
NAMES = [*FILES, "Lost.ndjson", "1S00E00AA00.ndjson"]
FAULTS: dict[str, Any] = {
    "no last line break": lambda lines: lines[:-1],
    "blank lines": lambda lines: b"\n" + lines.replace(b"\n", b"\r\n\n"),
    "cut": lambda lines: lines[:-9],
    "byte order mark": lambda lines: b"\xef\xbb\xbf" + lines,
    "UTF-16": lambda lines: lines.decode().encode("utf-16"),
    "empty": lambda lines: b"",
    "one line gone": lambda lines: lines[lines.index(b"\n") + 1 :],
    "bytes of no text": lambda lines: lines + b"\xff\n",
    "over two lines": lambda lines: lines.replace(b", ", b",\n"),
    "no resource": lambda lines: lines + b"{}\n",
}
PLACES = ["{}bulk/{}", "../{1}", "/{1}", "{1}", "{}bulk/{}?token=1", "{}x/..", "file:///etc/passwd", "{}%2e%2e/{}"]
sound = st.just(lambda lines: lines)
contents = st.one_of(sound, sound, st.sampled_from(sorted(FAULTS)).map(FAULTS.__getitem__))
counts = st.sampled_from(["right", "right", "right", None, 0, 7, -1, 2.0, 10**20, "2", True])
signals = st.fixed_dictionaries(
    {},
    optional={
        "request": st.sampled_from([f"{BASE}$export?_since=2020", None, {"_since": 1}]),
        "deleted": st.just([{"url": "x"}]),
        "error": st.just([{"url": "x"}]),
        "transactionTime": st.sampled_from(["soon", None, 5, "2021-01-01"]),
        "extension": st.just({"x": [1.5]}),
    },
)


@st.composite
def exports(draw: st.DrawFn) -> tuple[dict[str, bytes], Any]:
    """An export's files as bytes, and a manifest that lists some of them, others, or one twice."""
    files = {name: draw(contents)(write_lines(lines)) for name, lines in FILES.items()}
    if draw(st.booleans()):
        files["1S00E00AA00.ndjson"] = write_lines(FILES["Practitioner.ndjson"])
    listed = draw(st.one_of(st.just(list(FILES)), st.lists(st.sampled_from(NAMES), max_size=5)))
    output: list[Any] = []
    for name in listed:
        count = draw(counts)
        count = len(FILES.get(name, [0])) if count == "right" else count
        place = draw(st.one_of(st.just(PLACES[0]), st.just(PLACES[0]), st.sampled_from(PLACES)))
        output.append({"type": name.partition(".")[0], "url": place.format(BASE, name), "count": count})
        if draw(st.integers(0, 9)) == 0:
            output[-1]["followingBytes"] = draw(st.integers(-1, 99))
    return files, build_manifest(FILES, output=output, **draw(signals))


@STEADY
@given(export=exports())
def test_a_folder_and_its_body_say_the_same(export: tuple[dict[str, bytes], Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = save_set(Path(name) / "export", *export)
        told = tell_all(folder)
        try:
            body = join_set(folder)
        except UnreadableFile:
            event("not delivered")
            assert told["checked"]["file_error"] == "unsupported_format_ndjson"
            return
        assert join_set(folder) == body
        joined = Path(name) / "body"
        joined.write_bytes(body)
        event(str(told["checked"]["file_error"] or told["checked"]["mode_signal"]))
        assert tell_all(joined) == told
