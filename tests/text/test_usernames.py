"""What a username is."""

from __future__ import annotations

from text.names import is_username, parse_username


def test_letters_digits_and_underscores_are_one_which_may_be_asked_for_with_an_at() -> None:
    for name in ("a", "_", "7", "Ada_Muster", "x" * 50):
        assert is_username(name)
        assert parse_username(name) == parse_username(f"@{name}") == name
    assert not is_username("@ada")
    for name in ("", "a b", "a-b", "a.b", "ada\n", "é", "١", "ſ", "\u212a", "x" * 51, "@@a", "@", "a/b"):
        assert not is_username(name)
        assert parse_username(name) is None
