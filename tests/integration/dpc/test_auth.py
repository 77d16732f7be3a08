"""One token serves until shortly before its end; a 401 is answered with one fresh token and one repetition."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from service.dpc import errors
from service.dpc.auth import TokenSource
from service.dpc.client import DpcClient
from service.dpc.credentials import generate_key_pair, load_private_key, sign_snippet
from service.dpc.transport import Transport
from tests.integration.dpc.conftest import ATTEMPT, NPI, Practice, build_new_patient

TOKEN = "/Token/auth"


def test_one_token_serves_many_calls_and_is_renewed_before_its_end(practice: Practice, client: DpcClient) -> None:
    client.read_groups()
    practice.emulator.advance("PT3M59S")
    client.read_groups()
    assert practice.count(TOKEN) == 1
    practice.emulator.advance("PT1S")
    client.read_groups()
    assert practice.count(TOKEN) == 2
    practice.emulator.advance("PT1H")
    client.read_groups()
    assert practice.count(TOKEN) == 3
    assert {entry["status"] for entry in practice.emulator.log()} == {200}


def test_a_read_is_repeated_once_with_a_fresh_token(practice: Practice, client: DpcClient) -> None:
    client.read_groups()
    practice.emulator.add_fault({"path": "/Group$", "preset": "expired-token", "times": 1})
    assert client.read_groups() == []
    assert practice.count(TOKEN) == 2


def test_a_write_is_repeated_once_with_a_fresh_token_because_401_applied_nothing(
    practice: Practice, client: DpcClient
) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    practice.emulator.add_fault({"path": r"\$add$", "preset": "expired-token", "times": 1})
    client.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    adds = [entry for entry in practice.emulator.log() if entry["path"].endswith("$add")]
    assert [entry["status"] for entry in adds] == [401, 200]
    assert len({entry["provenance_text"] for entry in adds}) == 1


def test_a_second_401_ends_it(practice: Practice, client: DpcClient) -> None:
    practice.emulator.add_fault({"path": "/(Group|Patient/.submit)$", "preset": "expired-token"})
    with pytest.raises(errors.NotAuthorized):
        client.read_groups()
    assert practice.count("/Group") == 2
    assert practice.count(TOKEN) == 2
    with pytest.raises(errors.NotAuthorized):
        client.submit_patients([build_new_patient(1)])
    assert practice.count("$submit") == 2


def test_a_token_that_cannot_be_had_means_that_the_write_was_never_sent(practice: Practice, client: DpcClient) -> None:
    for spoil in ({"preset": "timeout"}, {"cut": True}, {"status": 200, "body": "{"}, {"status": 302}):
        practice.emulator.clear_faults()
        practice.emulator.add_fault({"path": TOKEN, **spoil})
        with pytest.raises(errors.DpcUnavailable):
            client.submit_patients([build_new_patient(1)])
    assert practice.count("$submit") == 0
    assert practice.count(TOKEN) == 4


def test_a_wrong_key_is_a_lack_of_authority_after_one_try(practice: Practice) -> None:
    stranger = practice.open_client(key_id="00000000-0000-4000-8000-000000000000")
    with pytest.raises(errors.NotAuthorized):
        stranger.read_groups()
    assert practice.count(TOKEN) == 1


@pytest.mark.parametrize("skew", [timedelta(minutes=10), timedelta(minutes=-10), timedelta(days=-76)])
def test_a_wrong_clock_is_corrected_by_the_servers_date(skew: timedelta, practice: Practice) -> None:
    skewed = practice.open_client(clock=lambda: practice.emulator.now() + skew)
    assert skewed.read_groups() == []
    assert practice.count(TOKEN) == 2
    offset = skewed.clock_offset
    assert offset is not None
    assert abs(offset + skew) <= timedelta(seconds=1)
    assert abs(skewed.server_now - practice.emulator.now()) <= timedelta(seconds=1)


def test_every_assertion_is_new_and_ends_within_the_servers_five_minutes(practice: Practice) -> None:
    transport = Transport([practice.emulator.base_url], clock=practice.emulator.now)
    tokens = TokenSource(practice.credentials, transport, practice.emulator.now)
    seen = set()
    for _ in range(3):
        assertion = tokens.build_assertion()
        claims = jwt.decode(
            assertion,
            practice.keys.public_pem,
            algorithms=["RS384"],
            audience=practice.emulator.v1_url + TOKEN,
            options={"verify_exp": False},
        )
        assert claims["iss"] == claims["sub"] == practice.credentials.client_token
        assert claims["exp"] == int((practice.emulator.now() + timedelta(seconds=240)).timestamp())
        assert jwt.get_unverified_header(assertion)["kid"] == practice.credentials.key_id
        seen.add(claims["jti"])
    assert len(seen) == 3
    transport.close()


def test_refusals_never_show_tokens_or_assertions(practice: Practice) -> None:
    stranger = practice.open_client(key_id="00000000-0000-4000-8000-000000000000")
    with pytest.raises(errors.NotAuthorized) as caught:
        stranger.read_groups()
    assert practice.credentials.client_token[:40] not in str(caught.value) + repr(caught.value)


def test_keys_are_posted_listed_and_withdrawn(practice: Practice, client: DpcClient) -> None:
    private_pem, public_pem = generate_key_pair()
    private_key = load_private_key(private_pem)
    key_id = client.post_key(public_pem, sign_snippet(private_key), "second")
    assert {key.label for key in client.list_keys()} == {"first", "second"}
    rotated = practice.open_client(key_id=key_id, private_key=private_key)
    assert rotated.read_groups() == []
    client.delete_key(key_id)
    assert [key.label for key in client.list_keys()] == ["first"]
    with pytest.raises(errors.NotFoundAtDpc):
        client.delete_key(key_id)


def test_client_tokens_are_listed_with_their_ends_and_without_their_values(client: DpcClient) -> None:
    (token,) = client.list_tokens()
    assert token.expires_at is not None
    assert token.created_at is not None
    assert token.expires_at - token.created_at > timedelta(days=364)
