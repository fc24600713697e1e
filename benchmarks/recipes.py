"""What somebody types to get from nothing to a working sign-in, contender by contender.

Each follows the contender's own quick start for a first sign-in by e-mail and password on SQLite; the programs are
written here, as short as that documentation lets them be. Run by `benchmarks.five_minutes`, which counts and times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

INSTALL: Final = "env/bin/python -m pip install --quiet --disable-pip-version-check"


@dataclass(frozen=True, slots=True)
class Written:
    """Lines that are typed into a file: a new one, or one that a command made, before the line that begins so."""

    path: str
    text: str
    before: str | None = None

    @property
    def lines(self) -> int:
        """Lines that are not empty."""
        return sum(bool(line.strip()) for line in self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the first sign-in. A form sends its hidden fields along; JSON is sent as it is."""

    path: str
    fields: Mapping[str, str]
    as_form: bool = False
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Commands and files in the order in which they are typed. The last command serves on `{port}`."""

    name: str
    follows: str
    steps: tuple[str | Written, ...]
    requests: tuple[Request, ...]
    proof: str
    shows: str

    @property
    def commands(self) -> int:
        """Lines typed into a terminal."""
        return sum(isinstance(step, str) for step in self.steps)

    @property
    def lines(self) -> int:
        """Lines typed into files."""
        return sum(step.lines for step in self.steps if isinstance(step, Written))


EMAIL: Final = "ada@example.com"
_PASSWORD: Final = "violet kettle hums at noon"
_JSON: Final = {"email": EMAIL, "password": _PASSWORD}

_OURS_PROGRAM: Final = """\
from fastapi import Depends, FastAPI
from gatepost import Gatepost, Principal

app = FastAPI()
auth = Gatepost()
auth.init_app(app, prefix="/auth")

@app.get("/me")
def me(who: Principal = Depends(auth.signed_in)):
    return {"email": who.email}
"""

_USERS_PROGRAM: Final = """\
import uuid
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = "read this from the environment in a real application"
engine = create_async_engine("sqlite+aiosqlite:///./users.db")
new_session = async_sessionmaker(engine, expire_on_commit=False)

class Base(DeclarativeBase):
    pass

class User(SQLAlchemyBaseUserTableUUID, Base):
    pass

class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

class UserRead(schemas.BaseUser[uuid.UUID]):
    pass

class UserCreate(schemas.BaseUserCreate):
    pass

async def get_user_db():
    async with new_session() as session:
        yield SQLAlchemyUserDatabase(session, User)

async def get_user_manager(user_db=Depends(get_user_db)):
    yield UserManager(user_db)

def get_strategy():
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)

backend = AuthenticationBackend("jwt", CookieTransport(cookie_secure=False), get_strategy)
users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])

@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield

app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")

@app.get("/me")
async def me(user: User = Depends(users.current_user(active=True))):
    return {"email": user.email}
"""

RECIPES: Final = (
    Recipe(
        name="Gatepost, the server",
        follows="README, The first five minutes",
        steps=("git clone --quiet {checkout} gatepost", "cd gatepost && ./gate serve --port {port}"),
        requests=(Request("/api/sign-up", _JSON), Request("/api/sign-in", _JSON)),
        proof="/account",
        shows=EMAIL,
    ),
    Recipe(
        name="Gatepost, in an application",
        follows="README, In your own application",
        steps=(
            "git clone --quiet {checkout} gatepost",
            "python3 -m venv env",
            f"{INSTALL} ./gatepost",
            Written("main.py", _OURS_PROGRAM),
            "PORT={port} env/bin/python -m uvicorn main:app --port {port}",
        ),
        requests=(Request("/auth/api/sign-up", _JSON), Request("/auth/api/sign-in", _JSON)),
        proof="/me",
        shows=EMAIL,
    ),
    Recipe(
        name="fastapi-users",
        follows="its full example (SQLAlchemy, JWT), with the cookie transport",
        steps=(
            "python3 -m venv env",
            f"{INSTALL} -c {{pins}} 'fastapi-users[sqlalchemy]' aiosqlite uvicorn",
            Written("main.py", _USERS_PROGRAM),
            "env/bin/python -m uvicorn main:app --port {port}",
        ),
        requests=(
            Request("/auth/register", _JSON),
            Request("/auth/login", {"username": EMAIL, "password": _PASSWORD}, as_form=True),
        ),
        proof="/me",
        shows=EMAIL,
    ),
    Recipe(
        name="django-allauth",
        follows="its quick start, on Django's first project",
        steps=(
            "python3 -m venv env",
            f"{INSTALL} -c {{pins}} django-allauth",
            "env/bin/python -m django startproject site_ .",
            Written(
                "site_/settings.py", "    'allauth',\n    'allauth.account',\n",
                "    'django.contrib.staticfiles'",
            ),
            Written(
                "site_/settings.py", "    'allauth.account.middleware.AccountMiddleware',\n",
                "    'django.middleware.clickjacking",
            ),
            Written(
                "site_/settings.py",
                "AUTHENTICATION_BACKENDS = [\n    'django.contrib.auth.backends.ModelBackend',\n"
                "    'allauth.account.auth_backends.AuthenticationBackend',\n]\n"
                "ACCOUNT_LOGIN_METHODS = {'email'}\nACCOUNT_SIGNUP_FIELDS = ['email*', 'password1*', 'password2*']\n"
                "ACCOUNT_EMAIL_VERIFICATION = 'optional'\n"
                "EMAIL_BACKEND = 'django.core.mail.backends.console.EmailBackend'\n"
                "LOGIN_REDIRECT_URL = '/accounts/email/'\n",
                "ROOT_URLCONF",
            ),
            Written("site_/urls.py", "from django.urls import include\n", "urlpatterns"),
            Written("site_/urls.py", "    path('accounts/', include('allauth.urls')),\n", "    path('admin/'"),
            "env/bin/python manage.py migrate --verbosity 0",
            "env/bin/python manage.py runserver --noreload {port}",
        ),
        requests=(
            Request(
                "/accounts/signup/", {"email": EMAIL, "password1": _PASSWORD, "password2": _PASSWORD},
                as_form=True, page="/accounts/signup/",
            ),
        ),
        proof="/accounts/email/",
        shows=EMAIL,
    ),
)  # fmt: skip
