"""The ledger: what X sold, and the budget that no request may exceed.

X bills an object once a UTC day, by its own clock. Before each request its worst case is reserved by a conditional UPDATE; the
answer settles it, in the transaction that stores the page. A request whose answer never came keeps its reservation, for X may
have sold the page: the budget is never exceeded, also when the process dies.

The invariant: what X has billed in a month is at most what is booked and what is reserved in it. So each request that may be
billed has a reservation of its own on each day on which it is sent, and counts in each month in which it may have been billed.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from collector.money.prices import Billing, Month, dollars
from models import Budget, Purchase, Reservation, Run, Spend
from sql.statements import add_up, upsert

SMALLEST_PAGE = 10
REMEMBERED = timedelta(days=2)
CHANGED_SHARE = 10


class BudgetSpent(Exception):
    """What is left of the month's budget doesn't pay for the smallest page."""


class Asked(NamedTuple):
    """A request to be made: for which run and listing, what it says but for the number, and for up to how many posts."""

    run_id: int
    listing_id: int | None
    request: str
    posts: int


class Hold(NamedTuple):
    """A reservation for up to so many posts, made on this UTC day of X's; `again` if X may have sold them that day already."""

    id: int
    posts: int
    day: date
    again: bool = False


class Bought(NamedTuple):
    """What X had not sold before on that day, with its price in micro-dollars."""

    posts: int
    users: int
    floor: int
    ceiling: int


def reserve(session: Session, billing: Billing, asked: Asked, *, now: datetime) -> Hold | None:
    """Reserve the worst case of a request; raises BudgetSpent.

    None means that it may fit once what is in flight is settled. Where nothing is in flight, fewer posts may be reserved.
    A page that X may have sold already today is asked again as it was, under its old reservation.
    """
    day = now.date()
    lost = _lost(session, asked, day)
    if lost and lost.posts <= asked.posts:
        again = update(Reservation).where(Reservation.id == lost.id)
        session.execute(again.values(in_flight=True, last=None, run_id=asked.run_id, listing_id=asked.listing_id))
        return lost
    month, posts = _opened(session, billing, day), asked.posts
    if not _taken(session, billing, month, billing.prices.most(posts)):
        if _in_flight(session):
            return None
        posts = min(posts, _affordable(session, billing, month))
        if posts < SMALLEST_PAGE or not _taken(session, billing, month, billing.prices.most(posts)):
            raise _spent_until(billing, day)
    values = asked._asdict() | {"posts": posts, "day": day.isoformat(), "micro": billing.prices.most(posts), "in_flight": True}
    return Hold(session.execute(_RESERVED, values).scalar_one(), posts, day)


def reserve_call(session: Session, billing: Billing, run_id: int, micro: int, *, now: datetime) -> Hold | None:
    """Reserve the price of a call; raises BudgetSpent. None means that it may fit once what is in flight is settled."""
    day = now.date()
    if not _taken(session, billing, _opened(session, billing, day), micro):
        if _in_flight(session):
            return None
        raise _spent_until(billing, day)
    row = {"day": day.isoformat(), "last": None, "micro": micro, "posts": 0, "in_flight": True, "run_id": run_id}
    return Hold(session.execute(_RESERVED, row | {"listing_id": None, "request": ""}).scalar_one(), 0, day)


def settle_call(session: Session, billing: Billing, hold: Hold, *, day: date, micro: int) -> None:
    """Book a call that X answered on this UTC day of X's, in place of its reservation."""
    run_id = session.execute(_TAKEN_BACK, {"hold": hold.id}).scalar_one()
    _book(session, billing, hold, run_id, day=day, bought=Bought(0, 0, micro, micro), calls=1)


def settle(session: Session, billing: Billing, hold: Hold, *, day: date, posts: Set[int], users: Set[int]) -> Bought:
    """Book what came on this UTC day of X's in place of the reservation; of a page that was lost before, a part stays."""
    run_id = session.execute(_TAKEN_BACK, {"hold": hold.id}).scalar_one()
    if hold.again:
        came = billing.prices.cost(posts=len(posts), users=len(users)).ceiling if day == hold.day else 0
        _keep_the_difference(session, billing, hold, run_id, came=came)
    _forget_old(session, day)
    new_posts, new_users = _first_today(session, day, "post", posts), _first_today(session, day, "user", users)
    bought = Bought(new_posts, new_users, *billing.prices.cost(posts=new_posts, users=new_users))
    _book(session, billing, hold, run_id, day=day, bought=bought)
    return bought


def _book(session: Session, billing: Billing, hold: Hold, run_id: int, *, day: date, bought: Bought, calls: int = 0) -> None:
    """Enter what a reservation brought on a day, and count the months anew from its day on."""
    month = _opened(session, billing, day)
    if any(bought):
        entry = {"day": day.isoformat(), "run_id": run_id, "calls": calls, **bought._asdict()}
        add_up(session, Spend, [entry], ("calls", *Bought._fields))
        session.execute(_BOOKED, {"run": run_id, **{f"more_{name}": value for name, value in bought._asdict().items()}})
    since = min(hold.day, day).isoformat()
    session.execute(_SETTLED, {"booked": month, "more": bought.ceiling, "since": since})


def _keep_the_difference(session: Session, billing: Billing, hold: Hold, run_id: int, *, came: int) -> None:
    """Keep reserved what only the lost answer may have held: authors that X left out this time, posts that were edited since.

    Nobody can know how many those are; beside what the page cost less than its worst case, a tenth of that is kept. Where
    nothing came on the day of the reservation, all of it stays there.
    """
    most = billing.prices.most(hold.posts)
    kept = max(0, most - came) + most // CHANGED_SHARE if came else most
    day = hold.day.isoformat()
    row = {"day": day, "last": day, "micro": kept, "posts": 0, "in_flight": False, "run_id": run_id, "listing_id": None}
    session.execute(_RESERVED, row | {"request": ""})


def release(session: Session, hold: Hold, *, sold: tuple[date, date] | None) -> None:
    """Give a reservation back after a request without a page; it stays where X may have sold one, between these days of X's."""
    first = hold.day if sold is None else min(hold.day, sold[0])
    if sold is None:
        session.execute(_TAKEN_BACK, {"hold": hold.id})
    else:
        days = {"day": first.isoformat(), "last": max(hold.day, sold[1]).isoformat()}
        session.execute(update(Reservation).where(Reservation.id == hold.id).values(in_flight=False, **days))
    session.execute(_SETTLED, {"booked": "", "more": 0, "since": first.isoformat()})


def recover(session: Session, billing: Billing, *, today: date) -> None:
    """Take over from a collector that died: what it had in flight may have been sold, up to today. The lease is held."""
    last = case((Reservation.day > today.isoformat(), Reservation.day), else_=today.isoformat())
    session.execute(update(Reservation).where(Reservation.in_flight).values(in_flight=False, last=last))
    month = _opened(session, billing, today)
    ends = {"until": billing.month(today).end.isoformat(), "spent": _spent(session, billing.month(today))}
    session.execute(update(Budget).where(Budget.month == month).values(**ends))
    session.execute(_SETTLED, {"booked": "", "more": 0, "since": ""})


def recover_calls(session: Session, *, today: date) -> None:
    """Take over from a process that bought calls and died, as `recover` does. The right to buy calls is held."""
    last = case((Reservation.day > today.isoformat(), Reservation.day), else_=today.isoformat())
    theirs = Reservation.run_id.in_(select(Run.id).where(Run.kind == "chore"))
    session.execute(update(Reservation).where(Reservation.in_flight, theirs).values(in_flight=False, last=last))
    session.execute(_SETTLED, {"booked": "", "more": 0, "since": ""})


def empty(session: Session) -> bool:
    """Tell whether nothing was ever bought."""
    return session.scalar(select(Spend.day).limit(1)) is None


def _lost(session: Session, asked: Asked, day: date) -> Hold | None:
    """Return the reservation of the same request whose answer was lost today and on no other day, if there is one."""
    today = day.isoformat()
    same = (Reservation.request == asked.request, Reservation.day == today, Reservation.last == today)
    rows = select(Reservation.id, Reservation.posts).where(*same).order_by(Reservation.posts.desc())
    row = session.execute(rows.limit(1)).first()
    return Hold(row.id, row.posts, day, again=True) if row else None


def _in_flight(session: Session) -> bool:
    return bool(session.scalar(select(func.count()).select_from(Reservation).where(Reservation.in_flight)))


def _spent_until(billing: Billing, day: date) -> BudgetSpent:
    until = billing.month(day).end
    return BudgetSpent(
        f"the budget of {dollars(billing.budget or 0)} a month is spent until {until}: MONTHLY_BUDGET_USD sets it"
    )


def _taken(session: Session, billing: Billing, month: str, micro: int) -> bool:
    row = update(Budget).where(Budget.month == month)
    if billing.budget is not None:
        row = row.where(Budget.spent + Budget.reserved + micro <= billing.budget)
    return session.scalar(row.values(reserved=Budget.reserved + micro).returning(Budget.month)) is not None


def _affordable(session: Session, billing: Billing, month: str) -> int:
    used = session.scalar(select(Budget.spent + Budget.reserved).where(Budget.month == month)) or 0
    return ((billing.budget or 0) - used) // max(1, billing.prices.most(1))


def _opened(session: Session, billing: Billing, day: date) -> str:
    """Return the key of a day's billing month; its row is made from the ledger where it is missing."""
    ends = billing.month(day)
    month, until = ends.start.isoformat(), ends.end.isoformat()
    if session.scalar(_MONTH, {"key": month}) is None:
        upsert(session, Budget, [{"month": month, "until": until, "spent": _spent(session, ends), "reserved": 0}])
        session.execute(_SETTLED, {"booked": "", "more": 0, "since": month})
    return month


def _spent(session: Session, month: Month) -> int:
    days = (Spend.day >= month.start.isoformat(), Spend.day < month.end.isoformat())
    return session.scalar(select(func.coalesce(func.sum(Spend.ceiling), 0)).where(*days)) or 0


def _first_today(session: Session, day: date, kind: str, ids: Set[int]) -> int:
    """Remember the objects of a day, and return how many had not been bought on it."""
    return upsert(session, Purchase, [{"day": day.isoformat(), "kind": kind, "object_id": one} for one in sorted(ids)])


def _forget_old(session: Session, day: date) -> None:
    before = (day - REMEMBERED).isoformat()
    if (session.scalar(_OLDEST) or before) < before:
        session.execute(delete(Purchase).where(Purchase.day < before))


_reservations: Any = Reservation.__table__
_budgets: Any = Budget.__table__
_runs: Any = Run.__table__
_held = _reservations.c

# What counts in a month: what is in flight, and what may have been sold on one of its days.
MAY_COUNT = or_(_held.in_flight, and_(_held.day < _budgets.c.until, _held.last >= _budgets.c.month))
RESERVED = select(func.coalesce(func.sum(_held.micro), 0)).where(MAY_COUNT).correlate(_budgets).scalar_subquery()
_OLDEST = select(func.min(Purchase.day))
_MONTH = select(Budget.month).where(Budget.month == bindparam("key"))
_RESERVED = insert(_reservations).returning(_held.id)
_TAKEN_BACK = delete(_reservations).where(_held.id == bindparam("hold")).returning(_held.run_id)
_BOOKED = (
    update(_runs)
    .where(_runs.c.id == bindparam("run"))
    .values({name: _runs.c[name] + bindparam(f"more_{name}") for name in Bought._fields})
)
_SETTLED = (
    update(_budgets)
    .where(_budgets.c.until > bindparam("since"))
    .values(
        spent=_budgets.c.spent + case((_budgets.c.month == bindparam("booked"), bindparam("more", type_=BigInteger)), else_=0),
        reserved=RESERVED,
    )
)
