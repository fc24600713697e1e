"""FastAPI Users on SQLAlchemy and SQLite, as its full example has it, with the JWT strategy or the database strategy.

Runs in the rivals' environment; `rivals_serving` and `rivals_inside` call it. Tokens last the hour of the example.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import (
    AuthenticationBackend,
    BearerTransport,
    CookieTransport,
    JWTStrategy,
    Strategy,
)
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET: Final = "read this from the environment in a real application"
_LIFETIME: Final = 3600


class _Tables(DeclarativeBase):
    pass


class _User(SQLAlchemyBaseUserTableUUID, _Tables):
    pass


class _AccessToken(SQLAlchemyBaseAccessTokenTableUUID, _Tables):
    pass


class _Manager(UUIDIDMixin, BaseUserManager[_User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


class _Site:
    """The database of a folder and the strategy of a name, with the dependencies that the example writes."""

    def __init__(self, name: str, folder: Path) -> None:
        self.engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'users.db'}")
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.by_jwt = name == "users_jwt"
        # FastAPI tells dependencies apart by their identity: a method bound anew would run once more.
        self.session = self._session

    async def _session(self) -> AsyncIterator[AsyncSession]:
        async with self.sessions() as session:
            yield session

    def strategy(self, session: AsyncSession) -> Strategy[_User, uuid.UUID]:
        """Reads and writes the credential."""
        if self.by_jwt:
            return JWTStrategy(secret=SECRET, lifetime_seconds=_LIFETIME)
        return DatabaseStrategy(
            SQLAlchemyAccessTokenDatabase(session, _AccessToken), lifetime_seconds=_LIFETIME
        )


def make(name: str, folder: Path) -> FastAPI:
    """The application: its routers and one endpoint that asks who it is."""
    site = _Site(name, folder)
    opened = Annotated[AsyncSession, Depends(site.session)]

    async def manager(session: opened) -> AsyncIterator[_Manager]:
        yield _Manager(SQLAlchemyUserDatabase(session, _User))

    def by_jwt() -> Strategy[_User, uuid.UUID]:
        return JWTStrategy(secret=SECRET, lifetime_seconds=_LIFETIME)

    def by_row(session: opened) -> Strategy[_User, uuid.UUID]:
        return site.strategy(session)

    backend: AuthenticationBackend[_User, uuid.UUID] = (
        AuthenticationBackend("jwt", BearerTransport(tokenUrl="sign-in"), by_jwt)
        if site.by_jwt
        else AuthenticationBackend("row", CookieTransport(cookie_secure=False), by_row)
    )
    users = FastAPIUsers[_User, uuid.UUID](manager, [backend])
    app = FastAPI()
    app.include_router(users.get_auth_router(backend))
    who = users.current_user(active=True)

    @app.get("/ready")
    async def ready() -> dict[str, Any]:
        return {}

    @app.get("/me")
    async def me(user: Annotated[_User, Depends(who)]) -> dict[str, Any]:
        return {"email": user.email}

    return app


def prepare(name: str, folder: Path, email: str, password: str) -> None:
    """Make the tables and one account."""

    site = _Site(name, folder)

    async def made() -> None:
        async with site.engine.begin() as connection:
            await connection.run_sync(_Tables.metadata.create_all)
        async with site.sessions() as session:
            manager = _Manager(SQLAlchemyUserDatabase(session, _User))
            await manager.create(schemas.BaseUserCreate(email=email, password=password))
        await site.engine.dispose()

    asyncio.run(made())


def reading(name: str, folder: Path, email: str, password: str) -> Callable[[], Awaitable[object]]:
    """What goes from the credential of a sign-in to the account: one database session each, as in a request."""
    site = _Site(name, folder)
    shown: list[str] = []

    async def read() -> object:
        async with site.sessions() as session:
            manager = _Manager(SQLAlchemyUserDatabase(session, _User))
            strategy = site.strategy(session)
            if not shown:
                shown.append(await strategy.write_token(await manager.get_by_email(email)))
            found = await strategy.read_token(shown[0], manager)
            if found is None:
                raise LookupError("nobody is signed in")
            return found

    return read
