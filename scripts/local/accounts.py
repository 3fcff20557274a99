"""Which account of this machine do the servers run as? PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import ServerStartError


@dataclass(frozen=True, kw_only=True, slots=True)
class UnixAccount:
    name: str
    uid: int
    gid: int


def server_account(data_folder: Path) -> UnixAccount | None:
    """The account for the servers, or None for the one we run as, which is every account but root.

    The owner of data that is already there, else who called sudo, else `postgres`, else `nobody`. No account is made.
    """
    if os.geteuid() != 0:
        return None
    if data_folder.exists() and (owner := data_folder.stat().st_uid) != 0:
        return _to_account(pwd.getpwuid(owner))
    for name in (os.environ.get("SUDO_USER", ""), "postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _to_account(entry)
    raise ServerStartError(
        "PostgreSQL refuses to run as root, and this machine has no account named postgres or nobody."
    )


def _to_account(entry: pwd.struct_passwd) -> UnixAccount:
    return UnixAccount(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def can_reach(account: UnixAccount, path: Path) -> bool:
    """Whether `account` may pass through every folder on the way to `path` and may read (enter) it itself."""
    path = path.resolve()
    return all(_is_allowed(account, step.stat(), stat.S_IXOTH) for step in path.parents) and _is_allowed(
        account, path.stat(), stat.S_IROTH | stat.S_IXOTH if path.is_file() else stat.S_IXOTH
    )


def _is_allowed(account: UnixAccount, found: os.stat_result, wanted: int) -> bool:
    """Whether the permission bits give `account` what is `wanted`, in the bits for others (0o1 to 0o7)."""
    if found.st_uid == account.uid:
        shift = 6
    elif found.st_gid == account.gid:
        shift = 3
    else:
        shift = 0
    return (found.st_mode >> shift) & wanted == wanted
