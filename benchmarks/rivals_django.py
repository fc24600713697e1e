"""Django on SQLite with the settings of `startproject`, sessions in the database or in signed cookies, or simplejwt.

Runs in the rivals' environment; `rivals_serving` and `rivals_inside` call it. The views are in `rivals_django_site`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.contrib.auth import authenticate, get_user, get_user_model, login
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.utils.module_loading import import_string

SECRET: Final = "read this from the environment in a real application"
_SIMPLEJWT: Final = "simplejwt"
_ENGINES: Final = {
    "django_database": "django.contrib.sessions.backends.db",
    "django_signed": "django.contrib.sessions.backends.signed_cookies",
    _SIMPLEJWT: "django.contrib.sessions.backends.db",
}


def prepare(name: str, folder: Path, email: str, password: str) -> None:
    """Make the tables and one account."""
    _set_up(name, folder)
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user(email, email, password)


def make(name: str, folder: Path) -> Any:
    """The WSGI application."""
    _set_up(name, folder)
    return get_wsgi_application()


def reading(name: str, folder: Path, email: str, password: str) -> Callable[[], object]:
    """What goes from the credential of a new sign-in to the account, as the middleware or the view does it."""
    _set_up(name, folder)
    if name == _SIMPLEJWT:
        tokens = import_string("rest_framework_simplejwt.tokens.RefreshToken")
        shown = str(tokens.for_user(get_user_model().objects.get(email=email)).access_token).encode()
        checks = import_string("rest_framework_simplejwt.authentication.JWTAuthentication")()
        return lambda: checks.get_user(checks.get_validated_token(shown))
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request = HttpRequest()
    request.session = store()
    login(request, authenticate(request, username=email, password=password))
    request.session.save()
    key = request.session.session_key

    def read() -> object:
        arriving = HttpRequest()
        arriving.session = store(key)
        found = get_user(arriving)
        if not found.is_authenticated:
            raise LookupError("nobody is signed in")
        return found

    return read


def _set_up(name: str, folder: Path) -> None:
    jwt = ["rest_framework", "rest_framework_simplejwt.token_blacklist"] if name == _SIMPLEJWT else []
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF="benchmarks.rivals_django_site",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SESSION_ENGINE=_ENGINES[name],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db.sqlite3"}},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            *jwt,
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ("rest_framework_simplejwt.authentication.JWTAuthentication",)
        },
        SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
        RIVAL_HAS_TOKENS=name == _SIMPLEJWT,
    )
    django.setup()
