"""The ledger: what X sold, and the budget that no request may exceed.

X bills an object once a UTC day, by its own clock. Before each request its worst case is reserved by a conditional UPDATE; the
answer settles it, in the transaction that stores the page. A request whose answer never came keeps its reservation, for X may
have sold the page: the budget is never exceeded, also when the process dies.

The invariant: what X has billed in a month is at most what is booked and what is reserved in it. So each request that may be
billed has a reservation of its own on each day on which it is sent, and counts in each month in which it may have been billed.

X's day is known but for the skew of its Dates, so around midnight an answer has several days. It is booked on the likeliest,
and where another would have cost more, the difference stays reserved there: in the middle of a month only for what was bought
on the likeliest day before or is bought there again, at a month's end for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from collector.ledger.prices import Billing, Month, dollars
from collector.x.clock import Days
from database.statements import increment, upsert
from models import Budget, Purchase, Reservation, Run, Spend
from queries.leases import CALLS, is_live

SMALLEST_PAGE = 10
REMEMBERED = timedelta(days=2)
CHANGED_SHARE = 10
IN_DOUBT, ELSEWHERE = " in doubt", " elsewhere"


class BudgetSpent(Exception):
    """What is left of the month's budget doesn't pay for the smallest page."""

    kind = "budget"


class BudgetReserved(BudgetSpent):
    """Others have reserved what is left of the month's budget; it may be free again soon."""

    kind = "reserved"


class DayTurned(Exception):
    """X may bill a request on a day on which it was not reserved, or charge again for one that it has sold."""


class PageRequest(NamedTuple):
    """A request to be made: for which run and listing, what it says but for the number, and for up to how many posts."""

    run_id: int
    listing_id: int | None
    request: str
    posts: int


class HeldReservation(NamedTuple):
    """A reservation for up to so many posts, billed on these days of X's; `again` if X may have sold them that day already."""

    id: int
    posts: int
    days: Days
    again: bool = False


class LedgerEntry(NamedTuple):
    """What X had not sold before on that day, with its price in micro-dollars."""

    posts: int
    users: int
    floor: int
    ceiling: int


def reserve(session: Session, billing: Billing, asked: PageRequest, *, days: Days) -> HeldReservation | None:
    """Reserve the worst case of a request in each month in which X may bill it; raises BudgetSpent.

    None means that it may fit once what is in flight is settled. Where nothing is in flight, fewer posts may be reserved.
    A page that X may have sold already today is asked again as it was, under its old reservation.
    """
    lost = _lost_reservation(session, asked, days) if days.sure else None
    if lost and lost.posts <= asked.posts:
        again = update(Reservation).where(Reservation.id == lost.id)
        session.execute(again.values(in_flight=True, run_id=asked.run_id, listing_id=asked.listing_id))
        return lost
    months, posts = _open_months(session, billing, days), asked.posts
    if full := _full(session, billing, months, billing.prices.most(posts)):
        if _in_flight(session):
            return None
        posts = min(posts, *(_affordable(session, billing, month) for month in months))
        if posts < SMALLEST_PAGE or _full(session, billing, months, billing.prices.most(posts)):
            raise _budget_spent(billing, full)
    values = asked._asdict() | {"posts": posts, "micro": billing.prices.most(posts)}
    return HeldReservation(_insert_reservation(session, days, values), posts, days)


def reserve_call(session: Session, billing: Billing, run_id: int, micro: int, *, days: Days) -> HeldReservation | None:
    """Reserve the price of a call; raises BudgetSpent. None means that it may fit once what is in flight is settled."""
    if full := _full(session, billing, _open_months(session, billing, days), micro):
        if _in_flight(session):
            return None
        raise _budget_spent(billing, full)
    values = {"run_id": run_id, "micro": micro, "posts": 0, "listing_id": None, "request": ""}
    return HeldReservation(_insert_reservation(session, days, values), 0, days)


def settle_call(session: Session, billing: Billing, hold: HeldReservation, *, days: Days, micro: int) -> None:
    """Book a call that X billed on one of these days, in place of its reservation, and count it in each of their months."""
    run_id = session.execute(_DELETE_RESERVATION, {"hold": hold.id}).scalar_one()
    for day in days.others:
        if billing.month(day) != billing.month(days.likely):
            _keep(session, run_id, day, micro)
    _book(session, billing, hold, run_id, days=days, bought=LedgerEntry(0, 0, micro, micro), calls=1)


def settle(
    session: Session, billing: Billing, hold: HeldReservation, *, days: Days, posts: Set[int], users: Set[int]
) -> LedgerEntry:
    """Book what X billed on one of these days in place of the reservation; of a page that was lost before, a part stays."""
    run_id = session.execute(_DELETE_RESERVATION, {"hold": hold.id}).scalar_one()
    if hold.again:
        same_day = days.sure and days.first == hold.days.first
        came = billing.prices.cost(posts=len(posts), users=len(users)).ceiling if same_day else 0
        _keep_the_difference(session, billing, hold, run_id, came=came)
    objects = {"post": posts, "user": users}
    if _forget_old(session, days.likely) or not days.sure:
        _keep_doubts(session, billing, run_id, days, objects)
    new_posts, new_users = (_first_on(session, days.likely, kind, ids) for kind, ids in objects.items())
    bought = LedgerEntry(new_posts, new_users, *billing.prices.cost(posts=new_posts, users=new_users))
    _book(session, billing, hold, run_id, days=days, bought=bought)
    return bought


Objects = Mapping[str, Set[int]]


def _keep_doubts(session: Session, billing: Billing, run_id: int, days: Days, objects: Objects) -> None:
    """Reserve what these objects cost beside what will be booked on the likeliest day, if X bills, or billed, on another."""
    bought = {kind: _ids(session, days.likely, kind, ids) for kind, ids in objects.items()}
    for day in days.others:
        other_month = billing.month(day) != billing.month(days.likely)
        dearer = objects if other_month else bought
        _keep_objects(session, billing, run_id, day, {k: _first_on(session, day, k + ELSEWHERE, dearer[k]) for k in dearer})
        for kind in () if other_month else objects:
            _first_on(session, days.likely, kind + IN_DOUBT, objects[kind] - bought[kind])
    if days.sure:
        doubtful = {kind: _ids(session, days.likely, kind + IN_DOUBT, ids) for kind, ids in bought.items()}
        for kind, ids in doubtful.items():
            session.execute(delete(Purchase).where(*_these(days.likely, kind + IN_DOUBT, ids)))
        _keep_objects(session, billing, run_id, days.likely, {kind: len(ids) for kind, ids in doubtful.items()})


def _keep_objects(session: Session, billing: Billing, run_id: int, day: date, counts: Mapping[str, int]) -> None:
    if micro := billing.prices.cost(posts=counts["post"], users=counts["user"]).ceiling:
        _keep(session, run_id, day, micro)


def _book(
    session: Session, billing: Billing, hold: HeldReservation, run_id: int, *, days: Days, bought: LedgerEntry, calls: int = 0
) -> None:
    """Enter what a reservation brought on the likeliest day, and count the months anew from its first day on."""
    month = _open(session, billing, days.likely)
    if any(bought):
        entry = {"day": days.likely.isoformat(), "run_id": run_id, "calls": calls, **bought._asdict()}
        increment(session, Spend, [entry], ("calls", *LedgerEntry._fields))
        session.execute(_UPDATE_RUN, {"run": run_id, **{f"more_{name}": value for name, value in bought._asdict().items()}})
    since = min(hold.days.first, days.first).isoformat()
    session.execute(_UPDATE_BUDGET, {"booked": month, "more": bought.ceiling, "since": since})


def _keep_the_difference(session: Session, billing: Billing, hold: HeldReservation, run_id: int, *, came: int) -> None:
    """Keep reserved what only the lost answer may have held: authors that X left out this time, posts that were edited since.

    Nobody can know how many those are; beside what the page cost less than its worst case, a tenth of that is kept. Where
    nothing came on the day of the reservation, all of it stays there.
    """
    most = billing.prices.most(hold.posts)
    kept = max(0, most - came) + most // CHANGED_SHARE if came else most
    _keep(session, run_id, hold.days.first, kept)


def _keep(session: Session, run_id: int, day: date, micro: int) -> None:
    """Reserve for good what X may have charged on a day."""
    values = {"run_id": run_id, "micro": micro, "posts": 0, "listing_id": None, "request": ""}
    _insert_reservation(session, Days(day, day, day), values, in_flight=False)


def release(session: Session, hold: HeldReservation, *, sold: Days | None) -> None:
    """Give a reservation back after a request without a page; it stays where X may have sold one, on these days of X's."""
    days = hold.days.and_also(sold) if sold else hold.days
    if sold is None:
        session.execute(_DELETE_RESERVATION, {"hold": hold.id})
    else:
        ends = {"day": days.first.isoformat(), "last": days.last.isoformat()}
        session.execute(update(Reservation).where(Reservation.id == hold.id).values(in_flight=False, **ends))
    session.execute(_UPDATE_BUDGET, {"booked": "", "more": 0, "since": days.first.isoformat()})


def recover(session: Session, billing: Billing, *, days: Days) -> None:
    """Take over from a collector that died: what it had in flight may be sold up to these days. The lease is held.

    So is what a process had that bought calls, unless it is alive.
    """
    _lose(session, days, or_(~_CALLS, ~exists().where(is_live(CALLS))))
    for month in {billing.month(day) for day in days}:
        _open(session, billing, month.start)
        ends = {"until": month.end.isoformat(), "spent": _ceiling_spent(session, month)}
        session.execute(update(Budget).where(Budget.month == month.start.isoformat()).values(**ends))
    session.execute(_UPDATE_BUDGET, {"booked": "", "more": 0, "since": ""})


def recover_calls(session: Session, *, days: Days) -> None:
    """Take over from a process that bought calls and died, as `recover` does. The right to buy calls is held."""
    _lose(session, days, _CALLS)
    session.execute(_UPDATE_BUDGET, {"booked": "", "more": 0, "since": ""})


def _lose(session: Session, days: Days, whose: ColumnElement[bool]) -> None:
    """Note that the answers to requests in flight won't come; X may bill them on their own days, and up to these."""
    reserved, last = func.coalesce(Reservation.last, Reservation.day), days.last.isoformat()
    later = case((reserved > last, reserved), else_=last)
    session.execute(update(Reservation).where(Reservation.in_flight, whose).values(in_flight=False, last=later))


def empty(session: Session) -> bool:
    """Tell whether nothing was ever bought."""
    return session.scalar(select(Spend.day).limit(1)) is None


def _lost_reservation(session: Session, asked: PageRequest, days: Days) -> HeldReservation | None:
    """Return the reservation of the same request whose answer was lost today and on no other day, if there is one."""
    today = days.first.isoformat()
    same = (Reservation.request == asked.request, Reservation.day == today, Reservation.last == today, ~Reservation.in_flight)
    rows = select(Reservation.id, Reservation.posts).where(*same).order_by(Reservation.posts.desc())
    row = session.execute(rows.limit(1)).first()
    return HeldReservation(row.id, row.posts, days, again=True) if row else None


def _in_flight(session: Session) -> bool:
    return bool(session.scalar(select(func.count()).select_from(Reservation).where(Reservation.in_flight)))


def _budget_spent(billing: Billing, month: str) -> BudgetSpent:
    until = billing.month(date.fromisoformat(month)).end
    return BudgetSpent(
        f"the budget of {dollars(billing.budget or 0)} a month is spent until {until}: MONTHLY_BUDGET_USD sets it"
    )


def _full(session: Session, billing: Billing, months: Sequence[str], micro: int) -> str | None:
    """Take an amount from each of these months' budgets, or from none, and return the month that has not as much left."""
    for number, month in enumerate(months):
        if not _try_reserve(session, billing, month, micro):
            given_back = update(Budget).where(Budget.month.in_(months[:number])).values(reserved=Budget.reserved - micro)
            if number:
                session.execute(given_back)
            return month
    return None


def _try_reserve(session: Session, billing: Billing, month: str, micro: int) -> bool:
    row = update(Budget).where(Budget.month == month)
    if billing.budget is not None:
        row = row.where(Budget.spent + Budget.reserved + micro <= billing.budget)
    return session.scalar(row.values(reserved=Budget.reserved + micro).returning(Budget.month)) is not None


def _affordable(session: Session, billing: Billing, month: str) -> int:
    used = session.scalar(select(Budget.spent + Budget.reserved).where(Budget.month == month)) or 0
    return ((billing.budget or 0) - used) // max(1, billing.prices.most(1))


def _open_months(session: Session, billing: Billing, days: Days) -> list[str]:
    """Return the keys of the billing months in which these days are, in their order."""
    return [_open(session, billing, start) for start in sorted({billing.month(day).start for day in days})]


def _open(session: Session, billing: Billing, day: date) -> str:
    """Return the key of a day's billing month; its row is made from the ledger where it is missing."""
    ends = billing.month(day)
    month, until = ends.start.isoformat(), ends.end.isoformat()
    if session.scalar(_MONTH, {"key": month}) is None:
        upsert(session, Budget, [{"month": month, "until": until, "spent": _ceiling_spent(session, ends), "reserved": 0}])
        session.execute(_UPDATE_BUDGET, {"booked": "", "more": 0, "since": month})
    return month


def _ceiling_spent(session: Session, month: Month) -> int:
    days = (Spend.day >= month.start.isoformat(), Spend.day < month.end.isoformat())
    return session.scalar(select(func.coalesce(func.sum(Spend.ceiling), 0)).where(*days)) or 0


def _insert_reservation(session: Session, days: Days, values: dict[str, Any], *, in_flight: bool = True) -> int:
    """Put a reservation on record and return its id."""
    row = values | {"day": days.first.isoformat(), "last": days.last.isoformat(), "in_flight": in_flight}
    return int(session.execute(_INSERT_RESERVATION, row).scalar_one())


def _ids(session: Session, day: date, kind: str, ids: Set[int]) -> Set[int]:
    """Return which of these objects are remembered of a day."""
    return set(session.scalars(select(Purchase.object_id).where(*_these(day, kind, ids))))


def _these(day: date, kind: str, ids: Set[int]) -> tuple[ColumnElement[bool], ...]:
    return Purchase.day == day.isoformat(), Purchase.kind == kind, Purchase.object_id.in_(ids)


def _first_on(session: Session, day: date, kind: str, ids: Set[int]) -> int:
    """Remember the objects of a day, and return how many had not been bought on it."""
    return upsert(session, Purchase, [{"day": day.isoformat(), "kind": kind, "object_id": one} for one in sorted(ids)])


def _forget_old(session: Session, day: date) -> bool:
    """Forget the objects of days that are long over; tell whether some were bought in doubt of this day."""
    before = (day - REMEMBERED).isoformat()
    oldest, doubtful = session.execute(_REMEMBERED, {"today": day.isoformat()}).one()
    if (oldest or before) < before:
        session.execute(delete(Purchase).where(Purchase.day < before))
    return bool(doubtful)


_reservations: Any = Reservation.__table__
_budgets: Any = Budget.__table__
_runs: Any = Run.__table__
_reservation = _reservations.c

# What counts in a month: what is in flight, and what may have been sold on one of its days.
MAY_COUNT = or_(_reservation.in_flight, and_(_reservation.day < _budgets.c.until, _reservation.last >= _budgets.c.month))
RESERVED = select(func.coalesce(func.sum(_reservation.micro), 0)).where(MAY_COUNT).correlate(_budgets).scalar_subquery()
_DOUBTFUL = exists().where(Purchase.day == bindparam("today"), Purchase.kind.in_(["post" + IN_DOUBT, "user" + IN_DOUBT]))
_REMEMBERED = select(select(func.min(Purchase.day)).scalar_subquery(), _DOUBTFUL)
_CALLS = Reservation.run_id.in_(select(Run.id).where(Run.kind == "job"))
_MONTH = select(Budget.month).where(Budget.month == bindparam("key"))
_INSERT_RESERVATION = insert(_reservations).returning(_reservation.id)
_DELETE_RESERVATION = delete(_reservations).where(_reservation.id == bindparam("hold")).returning(_reservation.run_id)
_UPDATE_RUN = (
    update(_runs)
    .where(_runs.c.id == bindparam("run"))
    .values({name: _runs.c[name] + bindparam(f"more_{name}") for name in LedgerEntry._fields})
)
_UPDATE_BUDGET = (
    update(_budgets)
    .where(_budgets.c.until > bindparam("since"))
    .values(
        spent=_budgets.c.spent + case((_budgets.c.month == bindparam("booked"), bindparam("more", type_=BigInteger)), else_=0),
        reserved=RESERVED,
    )
)
