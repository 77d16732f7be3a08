"""Fuzzes one reader, guided by coverage.

Run as `fuzz_readers.py READER [--keep FOLDER] [--planted CODE] [-max_total_time=60]`. What begins with one dash is
libFuzzer's. An input that breaks a promise is written beside the corpus, and ends the run with an error. `--planted`
counts a finding of that code as such a fault, so that the fuzzer is seen to find one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
LONGEST_INPUT = 16_384
LIMITS = ["-rss_limit_mb=1536", "-malloc_limit_mb=512", "-timeout=20", f"-max_len={LONGEST_INPUT}"]


class PlantedFault(Exception):
    """The fault that was asked for has been found."""


def write_start(name: str, folder: Path) -> list[str]:
    """Writes the inputs to begin with and the words of a target; answers libFuzzer's arguments for them."""
    from tests.fuzz.kept_inputs import KEPT
    from tests.fuzz.seeds import SEEDS
    from tests.fuzz.targets import OPTIONS
    from tests.fuzz.words import WORDS

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(SEEDS[name]):
        for choice in OPTIONS if n == 0 else "ac":
            (corpus / f"seed-{n}{choice}").write_bytes(choice.encode() + seed)
    for n, (_, kept) in enumerate(KEPT.get(name, ())):
        (corpus / f"kept-{n}").write_bytes(kept)
    words = sorted({word for word in WORDS[name] if 0 < len(word) <= 60})
    shown = ["".join(f"\\x{byte:02x}" for byte in word) for word in words]
    (folder / "words.dict").write_text("".join(f'w{n}="{word}"\n' for n, word in enumerate(shown)))
    return [f"-dict={folder / 'words.dict'}", f"-artifact_prefix={folder}/", str(corpus)]


def build_mutator(name: str) -> Callable[[bytes, int, int], bytes]:
    """Answers what changes an input: by bytes, by words, or by values of a tree."""
    from tests.fuzz.mutations import change_texts, change_tree, change_words
    from tests.fuzz.words import WORDS

    changes = {"workbook": change_texts, **dict.fromkeys(("json_pairs", "fhir", "ndjson", "joined_set"), change_tree)}
    change_form = changes.get(name)

    def mutate(content: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        way = rng.random()
        if way < 0.3 or not content:
            return bytes(atheris.Mutate(content, max_size))
        head, body = content[:1], content[1:]
        changed = change_form(body, WORDS[name], rng) if change_form and way < 0.75 else None
        return (head + (change_words(body, WORDS[name], rng) if changed is None else changed))[:max_size]

    return mutate


def build_test(name: str, planted: str | None) -> Callable[[bytes], None]:
    """Answers what is done with every input."""
    from tests.fuzz.targets import TARGETS

    def test_one(content: bytes) -> None:
        reading = TARGETS[name](content)
        if planted and reading is not None and any(finding.code == planted for finding in reading.findings):
            raise PlantedFault

    return test_one


def main() -> None:
    """Runs until libFuzzer has had its time or runs, or an input breaks a promise."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests/kit")]
    parser = argparse.ArgumentParser()
    parser.add_argument("reader")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--planted")
    chosen, of_fuzzer = parser.parse_known_args()
    with atheris.instrument_imports(include=["service.rosters", "service.domain", "hl7"]):
        from tests.fuzz.targets import TARGETS
    if chosen.reader not in TARGETS:
        parser.error(f"no such reader; there are {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep / chosen.reader if chosen.keep else Path(temporary)
        arguments = [sys.argv[0], *LIMITS, *of_fuzzer, *write_start(chosen.reader, folder)]
        test_one = build_test(chosen.reader, chosen.planted)
        atheris.Setup(arguments, test_one, custom_mutator=build_mutator(chosen.reader))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
