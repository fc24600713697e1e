"""Settings that do not go together, one example for each rule there is, and the sentence with which it is refused.

For the reference of the settings. A rule without an example here fails the test of that page.
"""

from collections.abc import Iterator
from typing import Any, Final

from gatepost.settings import Settings
from gatepost.settings.rules import RULES, SERVER_RULES, Rule

PUBLIC: Final = {"url": "https://auth.example.com", "profile": "production"}
DEVELOPMENT: Final = {"profile": "development"}
# Only whether a file can be read is looked at.
TLS: Final = {"tls_cert": __file__, "tls_key": __file__}
MANY: Final = [f"orders-{number}" for number in range(400)]
# In the order of the rules.
EXAMPLES: Final[tuple[dict[str, Any], ...]] = (
    {"profile": "production"},
    {**PUBLIC, "url": "http://auth.example.com"},
    {**DEVELOPMENT, "url": "https://auth.example.com"},
    {"sessions": {"idle": "31d"}},
    {"sessions": {"visitor_idle": "1h", "visitor_empty": "2h"}},
    {"tokens": {"access_ttl": "1h"}},
    {"tokens": {"refresh_ttl": "31d"}},
    {"revocation": {"horizon": "1s", "bound": "2s"}},
    {"tokens": {"algorithm": "HS256", "audiences": ["orders"]}},
    {"tokens": {"audiences": MANY}},
    {"tokens": {"permissions": True}, "roles": {"clerk": MANY}},
    {"keys": {"rotate_every": "5m"}},
    {"keys": {"master_before": "A" * 43}},
    {"guesses": {"wait": "16m"}},
    {**PUBLIC, "passwords": {"min_length": 8}},
    {**PUBLIC, "origins": {"trusted": ["http://app.example.com"]}},
    {**PUBLIC, "proxy": {"trusted": ["0.0.0.0/0"]}},
    {"server": {"tls_cert": __file__}},
    {**DEVELOPMENT, "url": "http://localhost:8400", "server": TLS},
    {"server": {"redirect_port": 80}},
    {**DEVELOPMENT, "server": {"host": "0.0.0.0"}},
    PUBLIC,
    {"server": {"workers": 2}, "database": {"url": "memory://"}},
)


def sentences() -> Iterator[str]:
    """What each rule says of its example, with the names of keys as code."""
    rules: tuple[Rule, ...] = (*RULES, *SERVER_RULES)
    for rule, example in zip(rules, EXAMPLES, strict=True):
        sentence = rule(Settings.model_validate(example), lambda key: f"`{key}`")
        assert sentence is not None, rule
        yield f"{sentence}."
