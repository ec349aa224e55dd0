"""The places from which invented tweets are sent."""

from __future__ import annotations

from typing import NamedTuple

from emulator.world.dice import number


class Place(NamedTuple):
    """A place as X describes it; id is 16 hexadecimal digits; longitude and latitude in degrees."""

    id: str
    name: str
    full_name: str
    country: str
    country_code: str
    place_type: str
    longitude: float
    latitude: float


def _place(name: str, region: str, country: str, code: str, where: tuple[float, float], kind: str = "city") -> Place:
    return Place(f"{number('place ' + name) % (1 << 64):016x}", name, f"{name}, {region}", country, code, kind, *where)


PLACES = (
    _place("São Paulo", "Brasil", "Brazil", "BR", (-46.63, -23.55)),
    _place("Curitiba", "Brasil", "Brazil", "BR", (-49.27, -25.43)),
    _place("Bogotá", "Colombia", "Colombia", "CO", (-74.07, 4.71)),
    _place("Madrid", "España", "Spain", "ES", (-3.7, 40.42)),
    _place("Austin", "TX", "United States", "US", (-97.74, 30.27)),
    _place("Seattle", "WA", "United States", "US", (-122.33, 47.61)),
    _place("Ontario", "Canada", "Canada", "CA", (-85.32, 51.25), "admin"),
    _place("London", "England", "United Kingdom", "GB", (-0.13, 51.51)),
    _place("München", "Deutschland", "Germany", "DE", (11.58, 48.14)),
    _place("Paris", "France", "France", "FR", (2.35, 48.86)),
    _place("Tokyo", "Japan", "Japan", "JP", (139.69, 35.69)),
    _place("Seoul", "Republic of Korea", "Republic of Korea", "KR", (126.98, 37.57)),
    _place("Bengaluru", "India", "India", "IN", (77.59, 12.97)),
    _place("İstanbul", "Türkiye", "Türkiye", "TR", (28.98, 41.01)),
    _place("Tel Aviv-Yafo", "Israel", "Israel", "IL", (34.78, 32.08)),
    _place("Cairo", "Egypt", "Egypt", "EG", (31.24, 30.04)),
    _place("Kenya", "Kenya", "Kenya", "KE", (37.91, -0.02), "country"),
    _place("Amsterdam", "Nederland", "The Netherlands", "NL", (4.9, 52.37)),
    _place("Jakarta", "Indonesia", "Indonesia", "ID", (106.85, -6.21)),
    _place("Milano", "Italia", "Italy", "IT", (9.19, 45.46)),
)
