"""What a username is."""

from __future__ import annotations

import pytest

from text.usernames import is_username, username


@pytest.mark.parametrize("name", ["a", "_", "7", "Ada_Muster", "x" * 50])
def test_letters_digits_and_underscores_are_one_and_may_be_asked_for_with_an_at(name: str) -> None:
    assert is_username(name)
    assert username(name) == username(f"@{name}") == name


@pytest.mark.parametrize("name", ["", "a b", "a-b", "a.b", "ada\n", "é", "١", "ſ", "\u212a", "x" * 51, "@@a", "@", "a/b"])
def test_nothing_else_is(name: str) -> None:
    assert not is_username(name)
    assert username(name) is None


def test_what_is_stored_has_no_at() -> None:
    assert not is_username("@ada")
