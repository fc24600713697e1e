"""The reference pages that are written by the code: settings, command line and HTTP.

`python -m tests.docs.reference` writes them into docs/; a test compares them with what it would write. What a setting,
a command or a call does is said where it is defined, once; here stand only headings and the columns.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from inspect import signature
from pathlib import Path
from textwrap import fill
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from gatepost.cli import gatepost
from gatepost.settings import Settings
from gatepost.settings.amounts import duration_text, parse_size
from gatepost.settings.fields import Lasting
from gatepost.settings.keys import OPEN_SECTION, dotted, leaves, variable
from gatepost.settings.listing import value_text
from gatepost.web.declared import declared_answers, declared_more
from gatepost.web.docs import EVERYWHERE
from gatepost.web.routes import ROUTES, Kind, Route
from tests.docs.together import sentences

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
WRITTEN_BY: Final = "<!-- Written by `python -m tests.docs.reference`; change the code, not this page. -->"
_ABOUT_SETTINGS: Final = f"""\
# Settings
{WRITTEN_BY}

Settings come from `gatepost.toml` in the working directory (or the file that `GATEPOST_CONFIG` names), from
the environment, which wins, and from options of a command or arguments of `Gatepost(...)`, which win over
both. A secret is best read from a file: put `_FILE` behind the name of its variable. An unknown key stops the
start, and so do values that do not go together; both with one sentence that says what to change.

Durations are written `10m`, `1h30m` or `7d`, sizes `64KB`; lists in a variable are parted by commas.
`DATABASE_URL`, `REDIS_URL` and `PORT` are honoured where the setting of ours is not given. `gatepost settings
show` lists what is in force and where it came from; `gatepost settings check` also warns of what is allowed
but deserves a thought.
"""
_ABOUT_COMMANDS: Final = f"""\
# Command line
{WRITTEN_BY}

`gatepost COMMAND` (from a checkout `./gate cli COMMAND`; `serve` is also `./gate serve`). Exit codes: 0 done;
1 refused, not found, or nobody was reading; 2 wrong usage; 130 interrupted. Answers go to stdout, everything
else to stderr. Commands work beside a running server, and what they end is refused by it at once. A secret is
never an argument: it is read from a prompt, from stdin or from a file. An account is named by id or e-mail.

Each command takes `--help`. Those that work on an installation also take `--data DIR`, the folder of
everything the server keeps; `--database URL` and `--sessions URL`, if those are elsewhere; and `--profile
NAME`.
"""
_ABOUT_HTTP: Final = f"""\
# HTTP
{WRITTEN_BY}

Every call and page, as the one route table has them. `/openapi.json` says the same for programs, with the
shape of each body; `/docs` shows it as a page. Bodies are JSON, and forms under `/oauth`; what stands behind
`?` is in the address, and a name with a `?` behind it may be left out. Lists are `items` and `next`: pass
`next` as `after` for the next page. Times are RFC 3339 in UTC. Whoever is signed in may show any carrier.
An answer without members is empty; where something was ended, the header `Gatepost-Receipt` says since when.

Any call may be refused by what comes before its checks: 400 `malformed`, 403 `https_required`, 408 `timeout`,
413 `too_large`, 421 `unknown_host`, 431 `headers_too_large`, 503 `busy`. What each code asks for:
[Errors](errors.md).

In front of the table stand [`GET /gateway/check`](gateway.md) and [`GET /feed`](feed.md).

## Calls
"""
_KINDS: Final[dict[Any, str]] = {
    bool: "true or false", int: "number", str: "text", timedelta: "duration", Path: "path",
}  # fmt: skip
# Of every command that works on an installation: said once.
_PLACE: Final = frozenset({"data", "database", "sessions", "profile"})


def settings_page() -> str:
    """Every key with its variable, what it takes, its default and what it is for."""
    lines = [_ABOUT_SETTINGS.rstrip("\n")]
    section = None
    for key in leaves(Settings):
        model, field = _field(key)
        if key[0] != section and len(key) > 1:
            section = key[0]
            lines += ["", f"## {section}", "", _summary(model), *_HEAD]
        elif len(key) == 1 and section is None:
            section = ""
            lines += ["", "## At the top", "", "Keys that stand in no section.", *_HEAD]
        elif len(key) == 1 and section:
            section = ""
            lines += ["", f"## {key[0]}", "", f"{field.description or ''}.".capitalize(), *_HEAD]
        name = f"`{dotted(key)}`" if key != (OPEN_SECTION,) else f"`{OPEN_SECTION}.NAME`"
        environment = variable(key) if key != (OPEN_SECTION,) else f"{variable(key)}__NAME"
        cells = (name, f"`{environment}`", takes(field), default(field), field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "## What does not go together", "", *_ABOUT_RULES]
    lines += [fill(f"- {sentence}", 110, subsequent_indent="  ") for sentence in sentences()]
    return "\n".join(lines) + "\n"


_ABOUT_RULES: Final = (
    "A start that breaks one of these is refused with this sentence, which names the keys as you gave them. The",
    "numbers are those of an example. The last six are about the server's own port, and do not bind an",
    "application that embeds Gatepost.",
    "",
)


_HEAD: Final = ("", "| key | variable | takes | default | what it is for |", "|---|---|---|---|---|")


def takes(field: FieldInfo) -> str:
    """What may be given, with its limits, both allowed."""
    annotation: Any = field.annotation
    metadata = list(field.metadata)
    if get_origin(annotation) in {Union, UnionType}:
        (annotation,) = [one for one in get_args(annotation) if one is not type(None)]
    while hasattr(annotation, "__metadata__"):
        metadata += annotation.__metadata__
        annotation = annotation.__origin__
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(annotation))
    kind = "list" if get_origin(annotation) is tuple else _KINDS.get(annotation, "text")
    if any(isinstance(one, BeforeValidator) and one.func is parse_size for one in metadata):
        kind = "size"
    return " ".join([kind, *_limits(metadata)])


def _limits(metadata: list[Any]) -> Iterator[str]:
    for one in metadata:
        if isinstance(one, Ge):
            yield f"from {one.ge}"
        elif isinstance(one, Le):
            yield f"to {one.le}"
        elif isinstance(one, AfterValidator) and isinstance(one.func, Lasting):
            if one.func.shortest > timedelta():
                yield f"from {duration_text(one.func.shortest)}"
            if one.func.longest < timedelta.max:
                yield f"to {duration_text(one.func.longest)}"


def default(field: FieldInfo) -> str:
    """The default as the settings file would say it."""
    if field.is_required():
        return "must be given"
    if field.default_factory is not None:
        return "worked out from others" if field.default_factory_takes_validated_data else "from the machine"
    return value_text(field.default) if not isinstance(field.default, dict) else "none"


def _field(key: tuple[str, ...]) -> tuple[type[BaseModel], FieldInfo]:
    model: type[BaseModel] = Settings
    for part in key[:-1]:
        inner = model.model_fields[part].annotation
        assert isinstance(inner, type)
        model = inner
    return model, model.model_fields[key[-1]]


def commands_page() -> str:
    """Every command with its arguments, options and help, as click knows them."""
    lines = [_ABOUT_COMMANDS.rstrip("\n")]
    for path, command in _commands(gatepost, ("gatepost",)):
        lines += ["", f"## {' '.join(path)}", "", *_command(command, path)]
    return "\n".join(lines) + "\n"


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _commands(inner, (*path, name))


def _command(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    context = click.Context(command, info_name=path[-1])
    arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    options = [
        one
        for one in command.params
        if isinstance(one, click.Option) and not one.hidden and one.name not in _PLACE
    ]
    usage = [*path, "[OPTIONS]", *arguments]
    yield f"```text\n{' '.join(usage)}\n```"
    yield ""
    yield fill(_joined(command.help or ""), 110)
    if options:
        yield from ("", "| option | says |", "|---|---|")
    for option in options:
        spelled, says = option.get_help_record(context) or ("", "")
        yield f"| `{spelled.replace('|', chr(92) + '|')}` | {says} |"


def http_page() -> str:
    """Every call of the route table: what it takes, who may, what it answers and refuses, and its checks in order."""
    lines = [_ABOUT_HTTP.rstrip("\n"), ""]
    lines += [
        "| call | does | takes | answers | refuses, besides | checks, in this order |",
        "|---" * 6 + "|",
    ]
    lines += [_call(route) for route in ROUTES if route.kind not in _FOR_PEOPLE]
    lines += ["", "## Pages", "", "| call | does | checks, in this order |", "|---|---|---|"]
    lines += [
        _row(_name(route), _says(route), _checks(route)) for route in ROUTES if route.kind in _FOR_PEOPLE
    ]
    used = dict.fromkeys(check for route in ROUTES for check in route.checks)
    lines += ["", "## Checks", "", "| check | says |", "|---|---|"]
    lines += [f"| `{check.__name__}` | {_joined(check.__doc__ or '')} |" for check in used]
    return "\n".join(lines) + "\n"


_FOR_PEOPLE: Final = frozenset({Kind.PAGE, Kind.STREAM})
_EVERYWHERE: Final = frozenset(error.code for error in EVERYWHERE)


def _call(route: Route) -> str:
    answered = ", ".join([f"{route.status}", *(f"`{name}`" for name in _fields(route.answer))])
    refusals: list[str] = []
    for status, answer in declared_answers(route).items():
        codes = [code for code in answer.get("description", "").split(", ") if code not in _EVERYWHERE]
        if int(status) >= 400 and codes:
            refusals.append(f"{status} {', '.join(f'`{code}`' for code in codes)}")
    return _row(_name(route), _says(route), _takes(route), answered, "; ".join(refusals), _checks(route))


def _takes(route: Route) -> str:
    takes = list(_fields(route.takes))
    for name, one in signature(route.endpoint, eval_str=True).parameters.items():
        kinds = [kind for kind in (one.annotation, *get_args(one.annotation)) if isinstance(kind, type)]
        models = [kind for kind in kinds if issubclass(kind, BaseModel)]
        if models:
            takes += _fields(models[0])
        elif name == "patch":
            takes.append("any members")
        elif name != "asking" and f"{{{name}}}" not in route.path:
            takes.append(f"?{name}")
    takes += [f"?{one['name']}" for one in declared_more(route).get("parameters", ())]
    return ", ".join(f"`{name}`" if " " not in name else name for name in takes)


def _fields(model: type[BaseModel] | None) -> Iterator[str]:
    for name, field in model.model_fields.items() if model is not None else ():
        yield name if field.is_required() else f"{name}?"


def _name(route: Route) -> str:
    return f"`{route.method} {route.path}`"


def _says(route: Route) -> str:
    return _joined(route.endpoint.__doc__ or "").partition(". ")[0].rstrip(".")


def _checks(route: Route) -> str:
    return ", ".join(f"`{check.__name__}`" for check in route.checks) or "none"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _summary(model: type[BaseModel]) -> str:
    return _joined(model.__doc__ or "")


def _joined(text: str) -> str:
    return " ".join(text.replace("\b", "").split()).replace("|", "\\|")


PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "http.md": http_page,
}

if __name__ == "__main__":
    for name, made in PAGES.items():
        (DOCS / name).write_text(made())
