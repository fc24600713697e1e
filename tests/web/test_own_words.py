"""Words of an installation that no password may be made of (ASVS 6.1.2, 6.2.11)."""

import pytest

from tests.web.house import Build

TABLE = {"brand": {"name": "Zuckerhut"}, "passwords": {"own_words": ["murmelbahn"]}}


@pytest.mark.parametrize("word", ["gatepost", "zuckerhut", "murmelbahn", "wonderful-mail"])
def test_words_of_the_installation_are_refused_in_passwords(building: Build, word: str) -> None:
    """Ours, the brand's, the operator's, and the address of who chooses; the same with other words is welcome."""
    browser = building(TABLE).browser()

    def answered(password: str) -> tuple[int, str | None]:
        body = {"email": "wonderful-mail@example.com", "password": password}
        answer = browser.post("/api/sign-up", json=body)
        return answer.status_code, answer.json().get("code")

    assert answered(f"{word}{word}-2026") == (422, "weak_password")
    assert answered("tinsel orbit marrow kelp 2026") == (201, None)


def test_host_of_the_address_is_refused_in_passwords(building: Build) -> None:
    """The name that people type to get here is among the first guesses."""
    house = building({"url": "https://quillfeather.example", "profile": "production"})
    body = {"email": "ada@example.com", "password": "quillfeatherquillfeather"}
    answer = house.browser(origin="https://quillfeather.example").post("/api/sign-up", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "weak_password")
