"""What it costs to wait, found in columns, is what the rule says of every pair, whatever is claimed and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from shutil import copyfile
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from service.domain.attribution import Attribution, Group
from service.domain.expiry import find_cost_of_waiting
from service.domain.people import Actor
from service.domain.policy import Policy
from service.domain.renames import NO_RENAMES, Numbers, resolve_renames
from service.domain.roster import Claim, build_panel, unite_numbers
from service.runtime import Runtime, build_runtime
from service.settings import load_settings
from service.storage import panels
from service.storage.panel_codec import build_claim_columns, build_observed_columns
from service.storage.panels.folding import pack_renames
from service.storage.renames import find_renames, save_renames
from service.storage.sealing import OrganizationKeys
from service.workflows import waiting
from service.workflows.onboard import add_organization, set_organization
from service.workflows.set_up import new_settings
from service.workflows.waiting import find_cost_of_silence, find_first_lapse

MBIS = [f"1S00E00AA{n:02d}" for n in range(8)]
FEEDS = ("changes", "dpc", "ehr")
"""A feed may be named like the source of what DPC shows."""
NPIS = ("3990000002", "3990000010", "3990000028", "3990000036")
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
STEADY = settings(derandomize=True, max_examples=1_000, deadline=None)
SEVERAL = settings(derandomize=True, max_examples=200, deadline=None)
AROUND = st.sampled_from([timedelta(days=d, seconds=s) for d in (-20, -4, -1, 0, 1, 2, 4, 30) for s in (-1, 0, 1)])
Claims = dict[str, tuple[Claim, ...]]


@dataclass(frozen=True)
class Treated:
    """What DPC shows of one practitioner, and the claims by feed."""

    group: Group
    claims: Claims


def build_attribution(place: int, mbi: str | None, end_at: datetime, *, inactive: bool = False) -> Attribution:
    return Attribution(str(UUID(int=place)), mbi, end_at - timedelta(days=90), end_at, inactive, True)


@st.composite
def some_claims(draw: st.DrawFn) -> tuple[Claim, ...]:
    mbis = sorted(draw(st.sets(st.sampled_from(MBIS), max_size=5)))
    return tuple(
        Claim(mbi, draw(st.integers(1, 4)), 1, MIDNIGHT - timedelta(days=1) + draw(AROUND), ended=draw(st.booleans()))
        for mbi in mbis
    )


@st.composite
def practitioners(draw: st.DrawFn) -> Treated:
    shown = draw(st.lists(st.sampled_from([*MBIS, None]), max_size=8))
    attributions = tuple(
        build_attribution(place, mbi, MIDNIGHT + draw(AROUND), inactive=draw(st.sampled_from([False, False, True])))
        for place, mbi in enumerate(shown)
    )
    feeds = draw(st.sets(st.sampled_from(FEEDS)))
    return Treated(Group(NPIS[0], None, attributions), {feed: draw(some_claims()) for feed in sorted(feeds)})


RENAMES = st.one_of(
    st.just(NO_RENAMES), st.dictionaries(st.sampled_from(MBIS[:4]), st.sampled_from(MBIS[4:]), max_size=4)
)
NOW = st.sampled_from([0, 1, 500_000, 999_999]).map(lambda n: MIDNIGHT + timedelta(microseconds=n))
POLICIES = st.builds(
    Policy,
    renew_within=st.sampled_from([0, 1, 3, 15]).map(lambda n: timedelta(days=n)),
    evidence_max_age=st.sampled_from([1, 2, 5, 35]).map(lambda n: timedelta(days=n)),
)


def apply_rule(
    treated: Treated, feed: str, renames: Mapping[str, str], now: datetime, policy: Policy
) -> datetime | None:
    """The rule: of what this feed lists, pairs of what DPC shows and the newest claim that it rests on."""
    listed = {c.mbi for c in unite_numbers(treated.claims.get(feed, ()), renames) if not c.ended}
    wanted = build_panel(treated.group.npi, treated.claims, Numbers(renames)).wanted
    shown = treated.group.by_mbi().items()
    pairs = [(attribution, wanted[mbi]) for mbi, attribution in shown if mbi in listed and mbi in wanted]
    return find_cost_of_waiting(pairs, now, policy)


def find_in_columns(
    treated: Treated, feed: str, renames: Mapping[str, str], now: datetime, policy: Policy
) -> datetime | None:
    by_feed = {name: build_claim_columns(claims) for name, claims in treated.claims.items()}
    observed = build_observed_columns(treated.group.attributions)
    return find_first_lapse(observed, by_feed, feed, pack_renames(renames), now, policy)


@given(practitioners(), st.sampled_from(FEEDS), RENAMES, NOW, POLICIES)
@STEADY
def test_columns_find_the_first_lapse_as_the_rule_does(
    treated: Treated, feed: str, renames: Mapping[str, str], now: datetime, policy: Policy
) -> None:
    assert find_in_columns(treated, feed, renames, now, policy) == apply_rule(treated, feed, renames, now, policy)


OLD = Claim(MBIS[0], 1, 1, MIDNIGHT - timedelta(days=40))
ENDS = MIDNIGHT + timedelta(days=9)
SHOWN = Group(NPIS[0], None, (build_attribution(1, MBIS[0], ENDS),))
TWICE = Group(NPIS[0], None, (build_attribution(1, MBIS[0], ENDS), build_attribution(2, MBIS[0], ENDS, inactive=True)))
SELDOM = {
    "listed by this feed alone": (Treated(SHOWN, {"ehr": (OLD,)}), NO_RENAMES, ENDS),
    "listed by another feed alone": (Treated(SHOWN, {"changes": (OLD,)}), NO_RENAMES, None),
    "let go by this feed": (Treated(SHOWN, {"ehr": (replace(OLD, ended=True),), "changes": (OLD,)}), NO_RENAMES, None),
    "shown anew by another feed": (
        Treated(SHOWN, {"ehr": (OLD,), "changes": (replace(OLD, evidence_at=MIDNIGHT),)}),
        NO_RENAMES,
        None,
    ),
    "let go anew by another feed": (
        Treated(SHOWN, {"ehr": (OLD,), "changes": (replace(OLD, evidence_at=MIDNIGHT, ended=True),)}),
        NO_RENAMES,
        ENDS,
    ),
    "listed under a former number": (
        Treated(SHOWN, {"ehr": (replace(OLD, mbi=MBIS[1]),)}),
        {MBIS[1]: MBIS[0]},
        ENDS,
    ),
    "shown under a former number": (Treated(SHOWN, {"ehr": (OLD,)}), {MBIS[0]: MBIS[1]}, None),
    "shown twice": (Treated(TWICE, {"ehr": (OLD,)}), NO_RENAMES, None),
}


@pytest.mark.parametrize("case", SELDOM)
def test_what_comes_seldom_by_lot_costs_what_the_rule_says(case: str) -> None:
    treated, renames, expected = SELDOM[case]
    assert find_in_columns(treated, "ehr", renames, MIDNIGHT, Policy()) == expected
    assert apply_rule(treated, "ehr", renames, MIDNIGHT, Policy()) == expected


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """An installation with one organisation, whose practitioners are looked at two at a time."""
    from databases import copy_database

    folder = tmp_path_factory.mktemp("waiting")
    with ExitStack() as kept:
        if request.param == "sqlite":
            copyfile(request.getfixturevalue("migrated_file"), folder / "rollcall.db")
            url = f"sqlite:///{folder / 'rollcall.db'}"
        else:
            url = kept.enter_context(copy_database(*request.getfixturevalue("practice_postgresql")))
        kept.enter_context(pytest.MonkeyPatch.context()).setattr(waiting, "_PRACTITIONERS_AT_ONCE", 2)
        environ = new_settings(folder / "installation") | {"ROLLCALL_DATABASE_URL": url}
        rt = kept.enter_context(build_runtime(load_settings(environ)))
        add_organization(rt, organization_id="lakeside", name="Lakeside", npi="3905293015", actor=Actor.operator())
        set_organization(rt, "lakeside", {"renew_within_days": 1, "evidence_max_age_days": 2}, actor=Actor.operator())
        yield rt


def save_everything(
    connection: Connection, keys: OrganizationKeys, practice: Mapping[str, Treated], told: list[tuple[str, str]]
) -> None:
    for npi, treated in practice.items():
        for feed, claims in treated.claims.items():
            columns = build_claim_columns(claims)
            panels.save_claims(connection, keys, "lakeside", npi, feed, columns, now=MIDNIGHT, expected_version=0)
        observed = build_observed_columns(treated.group.attributions)
        panels.save_observed(connection, keys, "lakeside", npi, None, observed, now=MIDNIGHT)
    save_renames(connection, keys, "lakeside", told, 3, now=MIDNIGHT)


@given(
    st.lists(practitioners(), min_size=len(NPIS), max_size=len(NPIS)),
    st.sampled_from(FEEDS),
    st.lists(st.tuples(st.sampled_from(MBIS[:4]), st.sampled_from(MBIS)), min_size=1, max_size=3),
    NOW,
)
@SEVERAL
def test_the_cost_of_silence_is_the_first_lapse_of_all_practitioners(
    rt: Runtime, treated: list[Treated], feed: str, told: list[tuple[str, str]], now: datetime
) -> None:
    policy = Policy(renew_within=timedelta(days=1), evidence_max_age=timedelta(days=2))
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, "lakeside")
        with connection.begin_nested() as everything:
            save_everything(connection, keys, dict(zip(NPIS, treated, strict=True)), told)
            renames = resolve_renames(find_renames(connection, keys, "lakeside"))
            found = find_cost_of_silence(connection, keys, "lakeside", feed, now)
            everything.rollback()
    ends = [apply_rule(one, feed, renames, now, policy) for one in treated]
    assert found == min((end for end in ends if end is not None), default=None)
