"""Accounts, sessions and audit rows as listings show them: the fields of the HTTP API, letter by letter.

Owns no field of its own; a test compares both. It does not import the HTTP endpoints, which would load their framework
for every command.
"""

from typing import Any

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow
from gatepost.services.accounts import Changed
from gatepost.services.sessions import Standing
from gatepost.web.answers import account_body, audit_body, full_receipt_body, instant, session_body


def account_item(authority: Authority, account: Account) -> dict[str, Any]:
    """An account as `GET /api/admin/accounts` lists it."""
    return {
        **account_body(account, authority.accounts.roles),
        "created_at": instant(account.created_at),
        "locked_at": instant(account.locked_at) if account.locked_at else None,
    }


def session_item(standing: Standing) -> dict[str, Any]:
    """A session as `GET /api/admin/sessions` lists it."""
    account = standing.account
    return {
        **session_body(standing.session, standing.idle_expires_at),
        "account_id": standing.session.account_id,
        "email": account.email.typed if account else None,
    }


def audit_item(number: int, row: AuditRow) -> dict[str, Any]:
    """A row of the audit trail as `GET /api/admin/audit` lists it."""
    return audit_body(number, row)


def changed_item(authority: Authority, changed: Changed) -> dict[str, Any]:
    """What a change of an account answers: the account, and the receipt if it ended something."""
    receipt = {"receipt": full_receipt_body(changed.receipt)} if changed.receipt else {}
    return {"account": account_item(authority, changed.account), **receipt}
