"""The ledger: what X sold, and the monthly budget that no request may exceed.

X bills an object once a UTC day, by its own clock. Before each request its worst case is reserved by a conditional UPDATE. The
answer settles the reservation in the transaction that stores the page. A request whose answer never came keeps its reservation,
because X may have sold the page: the budget holds even when the process dies.

The invariant: what X has billed in a month is at most what is booked plus what is reserved in it. So each request that may be
billed has a reservation of its own on each day on which it is sent, and counts in each month in which it may have been billed.

X's day is known except for the skew of its Date headers, so around midnight an answer has several possible days. It is booked
on the likeliest. Where another day would have cost more, the difference stays reserved there: in the middle of a month only for
what was bought on the likeliest day before or is bought there again, at the end of a month for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from collector.ledger.billing_days import counted_months
from collector.ledger.prices import Billing, Month, PageContent, dollars
from collector.x.clock import Days
from database.statements import increment, upsert
from models import Budget, Purchase, Reservation, Run, Spend
from queries.counters import CALLS, is_live

SMALLEST_PAGE = 10
BY_ID = (PageContent.AUTHORS, PageContent.POSTS_BY_ID)
"""What is requested by ids, of which one is enough."""
PURCHASES_KEPT = timedelta(days=2)
CHANGED_SHARE = 10
MORE_THAN_QUOTED = "stopped at {} tweets, because X has more than it counted: the rest has a new price"
SPENT_UNTIL = "the budget of {} a month is spent until {}: MONTHLY_BUDGET_USD sets it"
AGAIN, SAME_DAY = "tweets", "tweets of the same day"
"""How requests for posts by their ids begin; the second asks only for posts that were bought on its UTC day."""
IN_DOUBT, ELSEWHERE = " in doubt", " elsewhere"

Objects = Mapping[str, Set[int]]


class BudgetSpent(Exception):
    """What is left of the month's budget doesn't pay for the smallest page."""

    kind = "budget"


class BudgetReserved(BudgetSpent):
    """Others have reserved what is left of the month's budget; it may be free again soon."""

    kind = "reserved"


class QuoteReached(BudgetSpent):
    """A run has bought as many posts as were agreed to, except for less than the smallest page."""

    kind = "quote"


class DayTurned(Exception):
    """X may bill a request on a day on which it was not reserved, or charge again for one that it has sold."""


class PageRequest(NamedTuple):
    """A request for up to `posts` objects: its run and listing, and its other parameters as text. Calls have a run only."""

    run_id: int
    listing_id: int | None = None
    request: str = ""
    posts: int = 0
    content: PageContent = PageContent.POSTS_WITH_AUTHORS


class HeldReservation(NamedTuple):
    """A reservation for up to `posts` objects, billed on one of `days`; `again` if X may have sold them on that day already."""

    id: int
    posts: int
    days: Days
    again: bool = False
    content: PageContent = PageContent.POSTS_WITH_AUTHORS


class LedgerEntry(NamedTuple):
    """Posts and users that X had not sold before on that day, and their price in micro-dollars."""

    posts: int
    users: int
    floor: int
    ceiling: int


def reserve(session: Session, billing: Billing, request: PageRequest, *, days: Days) -> HeldReservation | None:
    """Reserve the worst case of a request in each month in which X may bill it; raises BudgetSpent.

    Returns None if it may fit once the requests in flight are settled. If none is in flight, fewer posts may be reserved.
    A page that X may have sold already today is requested again under its old reservation.
    """
    if days.sure and (lost := _reuse_lost_reservation(session, request, days)):
        return lost
    months, posts, each = counted_months(session, billing, days), request.posts, billing.prices.each(request.content)
    if full := _add_to_budgets(session, billing, months, posts * each):
        if session.scalar(_IN_FLIGHT):
            return None
        smallest = 1 if request.content in BY_ID else SMALLEST_PAGE
        posts = min(posts, *(_affordable(session, billing, month, each) for month in months))
        if posts < smallest or _add_to_budgets(session, billing, months, posts * each):
            raise BudgetSpent(SPENT_UNTIL.format(dollars(billing.budget or 0), full.end))
    return _insert_reservation(session, request._replace(posts=posts), days, posts * each)


def posts_left(session: Session, run_id: int, most: int) -> int:
    """Return how many of `most` posts a run may still buy, at least the smallest page; raises QuoteReached.

    Its reservations count in full, those of lost answers included, as X may have sold them.
    """
    bought = session.scalar(select(Run.posts).where(Run.id == run_id)) or 0
    reserved = session.scalar(select(func.sum(Reservation.posts)).where(Reservation.run_id == run_id)) or 0
    if most - bought - reserved < SMALLEST_PAGE:
        raise QuoteReached(MORE_THAN_QUOTED.format(bought))
    return most - bought - reserved


def reserve_call(session: Session, billing: Billing, run_id: int, micro: int, *, days: Days) -> HeldReservation | None:
    """Reserve the price of a call; raises BudgetSpent. Returns None if it may fit once the requests in flight are settled."""
    if full := _add_to_budgets(session, billing, counted_months(session, billing, days), micro):
        if session.scalar(_IN_FLIGHT):
            return None
        raise BudgetSpent(SPENT_UNTIL.format(dollars(billing.budget or 0), full.end))
    return _insert_reservation(session, PageRequest(run_id), days, micro)


def settle_call(session: Session, billing: Billing, reservation: HeldReservation, *, days: Days, micro: int) -> None:
    """Book a call that X billed on one of these days, in place of its reservation; counts it in each of their months."""
    run_id = session.execute(_DELETE_RESERVATION, {"reservation": reservation.id}).scalar_one()
    for day in days.others:
        if _has_other_months(session, billing, day, days.likely):
            _reserve_for_good(session, run_id, day, micro)
    _book(session, billing, reservation, run_id, days=days, bought=LedgerEntry(0, 0, micro, micro), calls=1)


def settle(
    session: Session,
    billing: Billing,
    reservation: HeldReservation,
    *,
    days: Days,
    posts: Set[int],
    users: Set[int],
    tweets_added: int = 0,
) -> LedgerEntry:
    """Book what X billed on one of these days in place of the reservation.

    Part of the reservation of a page that was lost before stays. The run's row is written here, once a page, so it also takes
    the number of tweets that the page added. X certainly charges for authors that were looked up: their floor is the ceiling.
    """
    run_id = session.execute(_DELETE_RESERVATION, {"reservation": reservation.id}).scalar_one()
    if reservation.again:
        same_day = days.sure and days.first == reservation.days.first
        price = billing.prices.cost(posts=len(posts), users=len(users)).ceiling if same_day else 0
        _reserve_lost_difference(session, billing, reservation, run_id, price=price)
    objects = {"post": posts, "user": users}
    if _forget_old_purchases(session, days.likely) or not days.sure:
        _reserve_doubts(session, billing, run_id, days, objects)
    new_posts, new_users = (_record_purchases(session, days.likely, kind, ids) for kind, ids in objects.items())
    floor, ceiling = billing.prices.cost(posts=new_posts, users=new_users)
    floor = ceiling if reservation.content is PageContent.AUTHORS else floor
    bought = LedgerEntry(new_posts, new_users, floor, ceiling)
    _book(session, billing, reservation, run_id, days=days, bought=bought, tweets_added=tweets_added)
    return bought


def release(session: Session, reservation: HeldReservation, *, sold: Days | None) -> None:
    """Remove the reservation of a request that brought no page; with `sold` days, on which X may have sold one, keep it."""
    days = reservation.days.and_also(sold) if sold else reservation.days
    if sold is None:
        session.execute(_DELETE_RESERVATION, {"reservation": reservation.id})
    else:
        ends = {"day": days.first.isoformat(), "last": days.last.isoformat()}
        session.execute(update(Reservation).where(Reservation.id == reservation.id).values(in_flight=False, **ends))
    _update_budgets(session, since=days.first.isoformat())


def recover_looks(session: Session, *, days: Days) -> None:
    """Take over from a process that read posts again and died, as `recover` does. The caller holds the lease for that.

    What is reserved for posts that were bought on the day of their request is removed: whatever came of it, X billed nothing.
    """
    session.execute(delete(Reservation).where(Reservation.request.startswith(SAME_DAY)))
    _mark_lost(session, days, Reservation.request.startswith(AGAIN))
    _update_budgets(session)


def recover(session: Session, billing: Billing, *, days: Days) -> None:
    """Take over from a collector that died: X may bill its requests in flight up to these days. The caller holds the lease.

    Includes the calls of a process that bought calls, unless that process is alive.
    """
    _mark_lost(session, days, or_(~_CALLS, ~exists().where(is_live(CALLS))))
    recount(session, billing, days)


def recount(session: Session, billing: Billing, days: Iterable[date]) -> None:
    """Recount the months of these days from the ledger, as X's billing month may have another beginning than before."""
    _recount_months(session, counted_months(session, billing, days))


def recover_calls(session: Session, *, days: Days) -> None:
    """Take over from a process that bought calls and died, as `recover` does. The caller holds the lease for calls."""
    _mark_lost(session, days, _CALLS)
    _update_budgets(session)


def is_empty(session: Session) -> bool:
    """Whether nothing was ever bought."""
    return session.scalar(select(Spend.day).limit(1)) is None


def _reserve_doubts(session: Session, billing: Billing, run_id: int, days: Days, objects: Objects) -> None:
    """Reserve what these objects cost beyond what will be booked on the likeliest day, if X bills, or billed, on another."""
    bought = {kind: _bought_ids(session, days.likely, kind, ids) for kind, ids in objects.items()}
    for day in days.others:
        other_month = _has_other_months(session, billing, day, days.likely)
        dearer = objects if other_month else bought
        counts = {kind: _record_purchases(session, day, kind + ELSEWHERE, ids) for kind, ids in dearer.items()}
        _reserve_objects(session, billing, run_id, day, counts)
        for kind in () if other_month else objects:
            _record_purchases(session, days.likely, kind + IN_DOUBT, objects[kind] - bought[kind])
    if days.sure:
        doubtful = {kind: _bought_ids(session, days.likely, kind + IN_DOUBT, ids) for kind, ids in bought.items()}
        for kind, ids in doubtful.items():
            session.execute(delete(Purchase).where(*_these(days.likely, kind + IN_DOUBT, ids)))
        _reserve_objects(session, billing, run_id, days.likely, {kind: len(ids) for kind, ids in doubtful.items()})


def _reserve_objects(session: Session, billing: Billing, run_id: int, day: date, counts: Mapping[str, int]) -> None:
    if micro := billing.prices.cost(posts=counts["post"], users=counts["user"]).ceiling:
        _reserve_for_good(session, run_id, day, micro)


def _reserve_lost_difference(
    session: Session, billing: Billing, reservation: HeldReservation, run_id: int, *, price: int
) -> None:
    """Keep reserved what only the lost answer may have held: authors that X left out this time, posts that were edited since.

    Nobody can know how many those are. So the difference between the page's price and its worst case stays reserved, plus a
    tenth of the worst case. If X billed the page on another day, all of it stays on the reservation's.
    """
    most = reservation.posts * billing.prices.each(reservation.content)
    kept = max(0, most - price) + most // CHANGED_SHARE if price else most
    _reserve_for_good(session, run_id, reservation.days.first, kept, posts=0 if price else reservation.posts)


def _reserve_for_good(session: Session, run_id: int, day: date, micro: int, *, posts: int = 0) -> None:
    """Reserve permanently what X may have charged on a day."""
    _insert_reservation(session, PageRequest(run_id, posts=posts), Days(day, day, day), micro, in_flight=False)


def _insert_reservation(
    session: Session, request: PageRequest, days: Days, micro: int, *, in_flight: bool = True
) -> HeldReservation:
    ends = {"day": days.first.isoformat(), "last": days.last.isoformat()}
    row = request._asdict() | ends | {"micro": micro, "in_flight": in_flight}
    content = row.pop("content")
    return HeldReservation(session.execute(_INSERT_RESERVATION, row).scalar_one(), request.posts, days, content=content)


def _reuse_lost_reservation(session: Session, request: PageRequest, days: Days) -> HeldReservation | None:
    """Put in flight again the largest reservation of the same request whose answer was lost today and on no other day."""
    today = days.first.isoformat()
    same = (Reservation.request == request.request, Reservation.day == today, Reservation.last == today, ~Reservation.in_flight)
    largest = select(Reservation.id).where(*same).order_by(Reservation.posts.desc()).limit(1).scalar_subquery()
    found = update(_reservations).where(_reservation.id == largest, _reservation.posts <= request.posts)
    reused = found.values(in_flight=True, run_id=request.run_id, listing_id=request.listing_id)
    row = session.execute(reused.returning(_reservation.id, _reservation.posts)).first()
    return HeldReservation(row.id, row.posts, days, again=True, content=request.content) if row else None


def _mark_lost(session: Session, days: Days, whose: ColumnElement[bool]) -> None:
    """Record that the answers to requests in flight won't come; X may bill them on their own days and up to these."""
    reserved, last = func.coalesce(Reservation.last, Reservation.day), days.last.isoformat()
    later = case((reserved > last, reserved), else_=last)
    session.execute(update(Reservation).where(Reservation.in_flight, whose).values(in_flight=False, last=later))


def _book(
    session: Session,
    billing: Billing,
    reservation: HeldReservation,
    run_id: int,
    *,
    days: Days,
    bought: LedgerEntry,
    calls: int = 0,
    tweets_added: int = 0,
) -> None:
    """Enter what a reservation brought on the likeliest day, and update the months from its first day on."""
    more = bought._asdict()
    if any(bought):
        increment(
            session, Spend, [{"day": days.likely.isoformat(), "run_id": run_id, "calls": calls, **more}], ("calls", *more)
        )
    if any(bought) or tweets_added:
        more["tweets_added"] = tweets_added
        session.execute(_UPDATE_RUN, {"run": run_id, **{f"more_{name}": value for name, value in more.items()}})
    since, booked = min(reservation.days.first, days.first).isoformat(), days.likely.isoformat()
    known = _update_budgets(session, since=since, booked=booked, more=bought.ceiling)
    if missing := [month for month in counted_months(session, billing, [days.likely]) if month.key not in known]:
        _recount_months(session, missing)


def _has_other_months(session: Session, billing: Billing, day: date, likely: date) -> bool:
    """Whether a day is in another billing month than the likeliest day."""
    return counted_months(session, billing, [day]) != counted_months(session, billing, [likely])


def _add_to_budgets(session: Session, billing: Billing, months: Sequence[Month], micro: int) -> Month | None:
    """Reserve an amount in the budget of each of these months, or in none; return the month that has not as much left."""
    for number, month in enumerate(months):
        if not _add_to_budget(session, billing, month, micro):
            if number:
                added = Budget.month.in_([earlier.key for earlier in months[:number]])
                session.execute(update(Budget).where(added).values(reserved=Budget.reserved - micro))
            return month
    return None


def _add_to_budget(session: Session, billing: Billing, month: Month, micro: int) -> bool:
    """Reserve an amount in a month if as much is left, and tell whether it was."""
    row = update(Budget).where(Budget.month == month.key)
    if billing.budget is not None:
        row = row.where(Budget.spent + Budget.reserved + micro <= billing.budget)
    add = row.values(reserved=Budget.reserved + micro).returning(Budget.month)
    if session.scalar(add) is not None:
        return True
    if session.scalar(select(Budget.month).where(Budget.month == month.key)) is not None:
        return False
    _recount_months(session, [month])
    return session.scalar(add) is not None


def _affordable(session: Session, billing: Billing, month: Month, each: int) -> int:
    """Return how many objects of this price what is left of a month pays for."""
    used = session.scalar(select(Budget.spent + Budget.reserved).where(Budget.month == month.key)) or 0
    return ((billing.budget or 0) - used) // max(1, each)


def _recount_months(session: Session, months: Sequence[Month]) -> None:
    """Recount these months from the ledger, and the reservations of all months; rows that are missing are inserted."""
    rows = [{"month": month.key, "until": month.end.isoformat(), "spent": 0, "reserved": 0} for month in months]
    upsert(session, Budget, rows, update=("until",))
    session.execute(_RECOUNT_BUDGETS, {"months": [month.key for month in months]})


def _update_budgets(session: Session, *, since: str = "", booked: str = "", more: int = 0) -> Sequence[str]:
    """Recount the reservations of the months that end after `since`, and add to what is spent in those with the day `booked`.

    Returns the keys of the months that were updated.
    """
    return session.scalars(_UPDATE_BUDGETS, {"booked": booked, "more": more, "since": since}).all()


def _bought_ids(session: Session, day: date, kind: str, ids: Set[int]) -> Set[int]:
    """Return which of these objects were bought on a day."""
    return set(session.scalars(select(Purchase.object_id).where(*_these(day, kind, ids))))


def _these(day: date, kind: str, ids: Set[int]) -> tuple[ColumnElement[bool], ...]:
    return Purchase.day == day.isoformat(), Purchase.kind == kind, Purchase.object_id.in_(ids)


def _record_purchases(session: Session, day: date, kind: str, ids: Set[int]) -> int:
    """Record that these objects were bought on a day, and return how many had not been bought on it before."""
    return upsert(session, Purchase, [{"day": day.isoformat(), "kind": kind, "object_id": one} for one in sorted(ids)])


def _forget_old_purchases(session: Session, day: date) -> bool:
    """Delete the purchases of days that are long over; tell whether any of this day are in doubt."""
    before = (day - PURCHASES_KEPT).isoformat()
    oldest, doubtful = session.execute(_OLDEST_AND_DOUBTFUL, {"today": day.isoformat()}).one()
    if (oldest or before) < before:
        session.execute(delete(Purchase).where(Purchase.day < before))
    return bool(doubtful)


_reservations: Any = Reservation.__table__
_budgets: Any = Budget.__table__
_spends: Any = Spend.__table__
_runs: Any = Run.__table__
_reservation = _reservations.c

# What counts in a month: requests in flight, and what may have been sold on one of its days.
MAY_COUNT = or_(_reservation.in_flight, and_(_reservation.day < _budgets.c.until, _reservation.last >= _budgets.c.month))
RESERVED = select(func.coalesce(func.sum(_reservation.micro), 0)).where(MAY_COUNT).correlate(_budgets).scalar_subquery()
SPENT = (
    select(func.coalesce(func.sum(_spends.c.ceiling), 0))
    .where(_spends.c.day >= _budgets.c.month, _spends.c.day < _budgets.c.until)
    .correlate(_budgets)
    .scalar_subquery()
)
_DOUBTFUL = exists().where(Purchase.day == bindparam("today"), Purchase.kind.in_(["post" + IN_DOUBT, "user" + IN_DOUBT]))
_OLDEST_AND_DOUBTFUL = select(select(func.min(Purchase.day)).scalar_subquery(), _DOUBTFUL)
_IN_FLIGHT = select(exists().where(Reservation.in_flight))
_CALLS = Reservation.run_id.in_(select(Run.id).where(Run.kind == "job"))
_INSERT_RESERVATION = insert(_reservations).returning(_reservation.id)
_DELETE_RESERVATION = delete(_reservations).where(_reservation.id == bindparam("reservation")).returning(_reservation.run_id)
_UPDATE_RUN = (
    update(_runs)
    .where(_runs.c.id == bindparam("run"))
    .values({name: _runs.c[name] + bindparam(f"more_{name}") for name in (*LedgerEntry._fields, "tweets_added")})
)
_HAS_BOOKED = and_(_budgets.c.month <= bindparam("booked"), _budgets.c.until > bindparam("booked"))
_UPDATE_BUDGETS = (
    update(_budgets)
    .where(_budgets.c.until > bindparam("since"))
    .values(
        spent=_budgets.c.spent + case((_HAS_BOOKED, bindparam("more", type_=BigInteger)), else_=0),
        reserved=RESERVED,
    )
    .returning(_budgets.c.month)
)
_RECOUNT_BUDGETS = update(_budgets).values(
    spent=case((_budgets.c.month.in_(bindparam("months", expanding=True)), SPENT), else_=_budgets.c.spent), reserved=RESERVED
)
