"""Who is on the wire and who waits, with a transport that answers when the test says so."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deliveries.engine import Engine, Flight, Landing
from tests.unit.claimed import flight
from tests.unit.scripted_transport import ScriptedTransport

BUSY, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No endpoint is silent for too long, unless a test says so."""
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", 3_600)


def make_engine(concurrency: int = 2, waiting: int = 1) -> tuple[Engine, ScriptedTransport]:
    transport = ScriptedTransport()
    return Engine(transport, endpoint_concurrency=concurrency, endpoint_waiting=waiting), transport


def send(engine: Engine, *flights: Flight, landed: list[Landing] | None = None) -> list[bool]:
    landings: list[Landing] = [] if landed is None else landed
    return [engine.send(one, landings.append) for one in flights]


def to(endpoint: UUID, count: int) -> list[Flight]:
    return [flight(subscription_id=endpoint) for _ in range(count)]


def test_an_endpoint_has_its_share_on_the_wire_and_its_share_waiting_and_no_more() -> None:
    engine, transport = make_engine(concurrency=2, waiting=1)
    assert send(engine, *to(BUSY, 5)) == [True, True, True, False, False]
    assert len(transport.started) == engine.on_wire == 2


def test_a_full_endpoint_takes_nothing_from_another() -> None:
    engine, transport = make_engine(concurrency=2, waiting=1)
    send(engine, *to(BUSY, 5))
    assert send(engine, *to(OTHER, 2)) == [True, True]
    assert len(transport.started) == 4


def test_a_flight_that_may_not_wait_is_sent_at_once_or_not_at_all() -> None:
    engine, transport = make_engine(concurrency=1, waiting=5)
    first, second = to(BUSY, 2)
    landed: list[Landing] = []
    assert [engine.send(one, landed.append, may_wait=False) for one in (first, second)] == [True, False]
    transport.answer_next()
    assert ([landing.flight for landing in landed], len(transport.started)) == ([first], 1)


def test_an_answer_lets_the_one_go_that_has_waited_longest() -> None:
    engine, transport = make_engine(concurrency=1, waiting=2)
    first, second, third = to(BUSY, 3)
    landed: list[Landing] = []
    send(engine, first, second, third, landed=landed)
    for _ in range(3):
        transport.answer_next()
    assert [landing.flight for landing in landed] == [first, second, third]


def test_every_flight_lands_once_with_its_own_result() -> None:
    engine, transport = make_engine(concurrency=3, waiting=0)
    flights = to(BUSY, 3)
    landed: list[Landing] = []
    send(engine, *flights, landed=landed)
    transport.answer_next(index=2)
    transport.answer_next(index=0)
    transport.answer_next()
    assert [landing.flight for landing in landed] == [flights[2], flights[0], flights[1]]
    assert engine.on_wire == 0


def test_a_flight_that_was_refused_never_lands() -> None:
    engine, transport = make_engine(concurrency=1, waiting=0)
    landed: list[Landing] = []
    send(engine, *to(BUSY, 2), landed=landed)
    transport.answer_next()
    assert len(landed) == 1
    assert transport.on_wire == []


def test_a_place_is_free_again_after_an_answer() -> None:
    engine, transport = make_engine(concurrency=1, waiting=0)
    send(engine, *to(BUSY, 1))
    transport.answer_next()
    assert send(engine, *to(BUSY, 2)) == [True, False]


def test_who_waits_is_known_and_who_is_on_the_wire_does_not_wait() -> None:
    engine, _ = make_engine(concurrency=1, waiting=2)
    flying, first, second = to(BUSY, 3)
    send(engine, flying, first, second)
    asked = {flying.claim.delivery_id, second.claim.delivery_id}
    assert engine.waiting(asked) == {second.claim.delivery_id}


def test_who_is_withdrawn_is_never_sent_and_the_others_keep_their_turn() -> None:
    engine, transport = make_engine(concurrency=1, waiting=2)
    flying, first, second = to(BUSY, 3)
    landed: list[Landing] = []
    send(engine, flying, first, second, landed=landed)
    assert engine.withdraw({flying.claim.delivery_id, first.claim.delivery_id}) == [first]
    transport.answer_next()
    transport.answer_next()
    assert [landing.flight for landing in landed] == [flying, second]


def test_withdrawing_makes_room_to_wait() -> None:
    engine, _ = make_engine(concurrency=1, waiting=1)
    flying, waits = to(BUSY, 2)
    send(engine, flying, waits)
    engine.withdraw({waits.claim.delivery_id})
    assert send(engine, *to(BUSY, 2)) == [True, False]


def test_closing_gives_back_who_waits_and_lands_who_is_on_the_wire() -> None:
    engine, transport = make_engine(concurrency=1, waiting=2)
    flying, first, second = to(BUSY, 3)
    landed: list[Landing] = []
    send(engine, flying, first, second, landed=landed)
    assert engine.close(timeout_seconds=0) == [first, second]
    assert [landing.flight for landing in landed] == [flying]
    assert (len(transport.started), engine.on_wire) == (1, 0)


def test_a_landing_may_send_the_next_flight_itself() -> None:
    engine, transport = make_engine(concurrency=1, waiting=0)
    again = flight(subscription_id=BUSY)
    engine.send(flight(subscription_id=BUSY), lambda _: sent.append(engine.send(again, lambda _: None)))
    sent: list[bool] = []
    transport.answer_next()
    assert (sent, engine.on_wire) == ([True], 1)


def test_an_endpoint_whose_places_are_taken_and_that_answers_nothing_lets_nobody_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, _ = make_engine(concurrency=1, waiting=5)
    send(engine, *to(BUSY, 1))
    assert engine.crowded() == set()
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", -1)
    assert engine.crowded() == {BUSY}
    assert send(engine, *to(BUSY, 1)) == [False]
    assert send(engine, *to(OTHER, 1)) == [True]


def test_an_endpoint_with_a_free_place_is_not_crowded_however_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = make_engine(concurrency=2, waiting=0)
    send(engine, *to(BUSY, 1))
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", -1)
    assert engine.crowded() == set()
    assert send(engine, *to(BUSY, 1)) == [True]


def test_all_are_silent_only_where_each_of_them_has_requests_and_answers_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, _ = make_engine()
    send(engine, *to(BUSY, 1))
    assert not engine.all_silent([BUSY])
    monkeypatch.setattr("deliveries.engine.SILENCE_SECONDS", -1)
    assert engine.all_silent([BUSY])
    assert not engine.all_silent([BUSY, OTHER])


class EngineMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: nobody above its share, nobody lost, nobody landed twice."""

    concurrency, waiting = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.engine, self.transport = make_engine(self.concurrency, self.waiting)
        self.accepted: dict[UUID, Flight] = {}
        self.withdrawn: list[UUID] = []
        self.landed: list[UUID] = []

    @rule(endpoint=st.sampled_from([BUSY, OTHER]))
    def send(self, endpoint: UUID) -> None:
        one = flight(subscription_id=endpoint)
        present = sum(other.claim.subscription_id == endpoint for other in self.accepted.values())
        is_accepted = self.engine.send(one, self.land)
        assert is_accepted == (present < self.concurrency + self.waiting)
        if is_accepted:
            self.accepted[one.claim.delivery_id] = one

    @precondition(lambda self: self.transport.on_wire)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.transport.answer_next(index=data.draw(st.integers(0, len(self.transport.on_wire) - 1)))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.accepted))))
        waiting = self.engine.waiting(chosen)
        withdrawn = {one.claim.delivery_id for one in self.engine.withdraw(chosen)}
        assert withdrawn == waiting
        self.withdrawn += withdrawn
        for identifier in withdrawn:
            del self.accepted[identifier]

    def land(self, landing: Landing) -> None:
        identifier = landing.flight.claim.delivery_id
        self.landed.append(identifier)
        del self.accepted[identifier]

    @invariant()
    def nobody_is_above_its_share(self) -> None:
        for endpoint in (BUSY, OTHER):
            present = {key for key, one in self.accepted.items() if one.claim.subscription_id == endpoint}
            waiting = self.engine.waiting(present)
            assert len(present) - len(waiting) == min(len(present), self.concurrency)
            assert len(waiting) <= self.waiting

    @invariant()
    def the_transport_and_the_engine_count_alike(self) -> None:
        assert self.engine.on_wire == len(self.transport.on_wire)

    @invariant()
    def nobody_lands_twice_or_after_being_withdrawn(self) -> None:
        assert len(set(self.landed)) == len(self.landed)
        assert not set(self.landed) & set(self.withdrawn)


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
