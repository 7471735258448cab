"""Addresses that only this machine reaches."""

from __future__ import annotations

import ipaddress

from workbench.recipe.errors import InputError, quoted


def bracketed(host: str) -> str:
    """An address as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def need_loopback(host: str) -> None:
    """Raises InputError for an address that other machines could reach: whoever reaches it can do what the user can."""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise InputError(
            f"--host {quoted(host)}: the screens have no login, so they are shown on this machine alone "
            "(localhost, 127.0.0.1 or ::1); from another one they are reached through ssh -L"
        )
