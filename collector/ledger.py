"""The ledger: what X sold, and the budget that no request may exceed.

X bills an object once a UTC day, by its own clock. Before each request its worst case is reserved by a conditional UPDATE; the
answer settles it, in the transaction that stores the page. A request whose answer never came keeps its reservation, for X may
have sold the page: the budget is never exceeded, also when the process dies.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from alchemy import add_up, upsert
from collector.prices import Billing, Month, dollars
from models import Budget, Purchase, Reservation, Run, Spend

SMALLEST_PAGE = 10
REMEMBERED = timedelta(days=2)


class BudgetSpent(Exception):
    """What is left of the month's budget doesn't pay for the smallest page."""


class Asked(NamedTuple):
    """A request to be made: for the run, the listing and its page (both None for what is no page), up to so many posts."""

    run_id: int
    listing_id: int | None
    page: int | None
    posts: int


class Hold(NamedTuple):
    """A reservation for up to so many posts."""

    id: int
    posts: int


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
        session.execute(update(Reservation).where(Reservation.id == lost.id).values(in_flight=True, run_id=asked.run_id))
        return lost
    month = _opened(session, billing, day)
    posts = asked.posts
    if not _taken(session, billing, month, posts):
        if session.scalar(select(func.count()).select_from(Reservation).where(Reservation.in_flight)):
            return None
        posts = min(posts, _affordable(session, billing, month))
        if posts < SMALLEST_PAGE or not _taken(session, billing, month, posts):
            until = billing.month(day).end
            raise BudgetSpent(
                f"the budget of {dollars(billing.budget or 0)} a month is spent until {until}: MONTHLY_BUDGET_USD sets it"
            )
    row = Reservation(
        day=day.isoformat(),
        micro=billing.prices.most(posts),
        posts=posts,
        in_flight=True,
        run_id=asked.run_id,
        listing_id=asked.listing_id,
        page=asked.page,
    )
    session.add(row)
    session.flush()
    return Hold(row.id, posts)


def settle(session: Session, billing: Billing, hold: Hold, *, day: date, posts: Set[int], users: Set[int]) -> Bought:
    """Book what came on this UTC day of X's in place of the reservation."""
    row = session.scalars(select(Reservation).where(Reservation.id == hold.id)).one()
    _forget_old(session, day)
    new_posts, new_users = _first_today(session, day, "post", posts), _first_today(session, day, "user", users)
    bought = Bought(new_posts, new_users, *billing.prices.cost(posts=new_posts, users=new_users))
    reserved_on, run_id = date.fromisoformat(row.day), row.run_id
    same = (Reservation.listing_id == row.listing_id, Reservation.page == row.page)
    if bought.posts or bought.users:
        _book(session, billing, day, run_id, bought)
    session.delete(row)
    session.flush()
    again = delete(Reservation).where(*same, Reservation.day == day.isoformat(), Reservation.posts <= hold.posts)
    session.execute(again.where(~Reservation.in_flight))
    _count_reservations(session, billing, min(day, reserved_on))
    return bought


def release(session: Session, billing: Billing, hold: Hold, *, sold: bool) -> None:
    """Give a reservation back after a request without a page; it stays where X may have sold one."""
    row = session.scalars(select(Reservation).where(Reservation.id == hold.id)).one()
    if sold:
        row.in_flight = False
    else:
        session.delete(row)
    session.flush()
    _count_reservations(session, billing, date.fromisoformat(row.day))


def recover(session: Session, billing: Billing, *, today: date) -> None:
    """Take over from a collector that died: what it had in flight may have been sold. The lease is held."""
    session.execute(update(Reservation).values(in_flight=False))
    month = _opened(session, billing, today)
    session.execute(update(Budget).where(Budget.month == month).values(spent=_spent(session, billing, today)))
    _count_reservations(session, billing, today)


def empty(session: Session) -> bool:
    """Tell whether nothing was ever bought."""
    return session.scalar(select(Spend.day).limit(1)) is None


def _lost(session: Session, asked: Asked, day: date) -> Hold | None:
    """Return the reservation of the same page whose answer was lost today, if there is one."""
    same = (Reservation.listing_id == asked.listing_id, Reservation.page == asked.page, Reservation.day == day.isoformat())
    rows = select(Reservation.id, Reservation.posts).where(*same, ~Reservation.in_flight).order_by(Reservation.posts.desc())
    row = session.execute(rows.limit(1)).first()
    return Hold(*row) if row else None


def _taken(session: Session, billing: Billing, month: str, posts: int) -> bool:
    micro = billing.prices.most(posts)
    row = update(Budget).where(Budget.month == month)
    if billing.budget is not None:
        row = row.where(Budget.spent + Budget.reserved + micro <= billing.budget)
    return session.scalar(row.values(reserved=Budget.reserved + micro).returning(Budget.month)) is not None


def _affordable(session: Session, billing: Billing, month: str) -> int:
    used = session.scalar(select(Budget.spent + Budget.reserved).where(Budget.month == month)) or 0
    return ((billing.budget or 0) - used) // max(1, billing.prices.most(1))


def _opened(session: Session, billing: Billing, day: date) -> str:
    """Return the key of a day's billing month; its row is made from the ledger where it is missing."""
    month = billing.month(day).start.isoformat()
    if session.scalar(select(Budget.month).where(Budget.month == month)) is None:
        upsert(session, Budget, [{"month": month, "spent": _spent(session, billing, day), "reserved": 0}])
        _count_reservations(session, billing, day)
    return month


def _spent(session: Session, billing: Billing, day: date) -> int:
    start, end = billing.month(day)
    days = (Spend.day >= start.isoformat(), Spend.day < end.isoformat())
    return session.scalar(select(func.coalesce(func.sum(Spend.ceiling), 0)).where(*days)) or 0


def _count_reservations(session: Session, billing: Billing, day: date) -> None:
    """Sum up the reservations of a day's billing month and of those after it.

    One in flight counts in every month, for midnight may pass before it is billed.
    """
    for month in session.scalars(select(Budget.month).where(Budget.month >= billing.month(day).start.isoformat())).all():
        ends = billing.month(date.fromisoformat(month))
        row = update(Budget).where(Budget.month == month)
        session.execute(row.values(reserved=reserved(session, ends)).execution_options(synchronize_session=False))


def reserved(session: Session, month: Month) -> int:
    """Return the sum of a billing month's reservations."""
    days = and_(Reservation.day >= month.start.isoformat(), Reservation.day < month.end.isoformat())
    total = select(func.coalesce(func.sum(Reservation.micro), 0)).where(or_(days, Reservation.in_flight))
    return session.scalar(total) or 0


def _first_today(session: Session, day: date, kind: str, ids: Set[int]) -> int:
    """Remember the objects of a day, and return how many had not been bought on it."""
    return upsert(session, Purchase, [{"day": day.isoformat(), "kind": kind, "object_id": one} for one in sorted(ids)])


def _forget_old(session: Session, day: date) -> None:
    before = (day - REMEMBERED).isoformat()
    if session.scalar(select(func.min(Purchase.day))) or before > "":
        session.execute(delete(Purchase).where(Purchase.day < before))


def _book(session: Session, billing: Billing, day: date, run_id: int, bought: Bought) -> None:
    month = _opened(session, billing, day)
    entry = {"day": day.isoformat(), "run_id": run_id, "calls": 0, **bought._asdict()}
    add_up(session, Spend, [entry], Bought._fields)
    of_run = update(Run).where(Run.id == run_id)
    session.execute(of_run.values({name: getattr(Run, name) + value for name, value in bought._asdict().items()}))
    session.execute(update(Budget).where(Budget.month == month).values(spent=Budget.spent + bought.ceiling))
