"""B3: seal and open rosters whole, against sealing each value and against one keyed digest per value.

Run `python tests/benchmarks/bench_protect.py [members]`; rosters of 500.
"""

from __future__ import annotations

import hmac
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from measuring import check_equal, measure_seconds, print_load, print_target

from service.domain.identifiers import unpack_mbi
from service.storage.panel_codec import ClaimColumns, are_same, decode_claims, encode_claims
from service.storage.sealing import OrganizationKeys

PER_ROSTER = 500
SEED = 20_261
_KEY_ID = bytes(16)


def build_rosters(members: int) -> list[ClaimColumns]:
    rng = np.random.default_rng(SEED)
    return [build_claims(rng, PER_ROSTER) for _ in range(members // PER_ROSTER)]


def build_claims(rng: np.random.Generator, n: int) -> ClaimColumns:
    return ClaimColumns(
        np.sort(rng.integers(10**13, 5 * 10**13, n, np.uint64)),
        np.ones(n, np.int32),
        rng.integers(2, 10**6, n, np.int32),
        np.full(n, 1_790_000_000, np.int64),
        np.zeros(n, np.uint8),
        np.zeros(n, np.bool_),
    )


def main(members: int) -> None:
    rosters = build_rosters(members)
    members = len(rosters) * PER_ROSTER
    key = os.urandom(32)
    keys = OrganizationKeys("lakeside", _KEY_ID, {_KEY_ID: AESGCM(key)}, key, key)
    packed = [roster.mbi.tobytes() for roster in rosters]
    values = [unpack_mbi(code).encode() for roster in rosters for code in roster.mbi.tolist()]
    cipher = AESGCM(key)

    def round_trip(bodies: list[bytes]) -> list[bytes]:
        sealed = [keys.seal("panel", "body", str(n), body) for n, body in enumerate(bodies)]
        return [keys.unseal("panel", "body", str(n), body) for n, body in enumerate(sealed)]

    def keep_and_read() -> list[ClaimColumns]:
        return [decode_claims(body) for body in round_trip([encode_claims(roster) for roster in rosters])]

    def seal_each() -> list[bytes]:
        sealed = [(nonce := os.urandom(12)) + cipher.encrypt(nonce, value, b"place") for value in values]
        return [cipher.decrypt(one[:12], one[12:], b"place") for one in sealed]

    def digest_each() -> list[bytes]:
        return [hmac.digest(key, value, "sha256") for value in values]

    check_equal("rosters", round_trip(packed), packed)
    check_equal("values", seal_each(), values)
    check_equal(
        "panels", [are_same(*pair) for pair in zip(keep_and_read(), rosters, strict=True)], [True] * len(rosters)
    )
    check_equal("digests", len(set(digest_each())), len(set(values)))
    print_load("before")
    ours = measure_seconds(lambda: round_trip(packed)).middle * 1e9 / members
    whole = measure_seconds(keep_and_read).middle * 1e9 / members
    each = measure_seconds(seal_each, 3).middle * 1e9 / members
    digest = measure_seconds(digest_each, 3).middle * 1e9 / members
    print(f"{members} members in rosters of {PER_ROSTER}; ns a member: roster {ours:.1f}, with columns {whole:.1f}, "
          f"each value {each:.0f}, digest of each {digest:.0f}")  # fmt: skip
    print_target("B3 a roster of packed MBIs, sealed and opened", f"{ours:.1f} ns", "<= 20 ns", is_met=ours <= 20)
    print_target("B3 against sealing each value", f"{each / ours:.0f} x", ">= 50 x", is_met=each >= 50 * ours)
    print_target("B3 against a digest of each value", f"{digest / ours:.0f} x", ">= 60 x", is_met=digest >= 60 * ours)
    print(f"      with six columns of lineage, encoded and decoded: {each / whole:.0f} x and {digest / whole:.0f} x")
    print_load("after")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
