"""Whose web page may use the gateway."""

import pytest

from cijob_gateway.errors import Forbidden
from cijob_gateway.pages import require_own_page

HERE = "127.0.0.1:8000"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": HERE},
        {"Host": "localhost"},
        {"Host": "[::1]:8000"},
        {"Host": HERE, "Origin": f"http://{HERE}"},
    ],
)
def test_programs_and_its_own_pages_may(headers: dict[str, str]) -> None:
    require_own_page(headers, login=False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": HERE, "Origin": "https://evil.example"},
        {"Host": HERE, "Origin": "http://127.0.0.1:9000"},
        {"Host": HERE, "Origin": "null"},
        {"Host": "evil.example:8000"},
        {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"},
        {"Host": "127.0.0.1.evil.example"},
        {},
    ],
)
def test_others_may_not_without_a_login(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        require_own_page(headers, login=False)


def test_with_a_login_any_name_will_do_and_other_pages_still_may_not() -> None:
    require_own_page({"Host": "ci.example.com"}, login=True)
    with pytest.raises(Forbidden):
        require_own_page({"Host": "ci.example.com", "Origin": "https://evil.example"}, login=True)
