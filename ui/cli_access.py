"""`cohort keys` and `cohort users`: who may use a service that others can reach."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from knowledge.errors import InvalidInput
from ui.console import JsonFlag, write, write_json

keys_app = typer.Typer(help="API keys for REST, MCP and the OpenAI-compatible endpoint.", no_args_is_help=True)
users_app = typer.Typer(help="Users who may sign in to the chat.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Whose it is; a key and a user of one name own the same runs.")]


@keys_app.command("new")
def keys_new(name: Name, as_json: JsonFlag = False) -> None:
    """Make a key. It is shown once and cannot be shown again: only its hash is kept."""
    from assistant.keys import new_key
    from assistant.settings import load_settings

    key = new_key(load_settings(), name)
    if as_json:
        write_json({"name": name, "key": key})
        return
    # The key alone goes to standard output, so that it can be piped into a file.
    sys.stderr.write(f"The key of {name}; it is not shown again. Send it as 'Authorization: Bearer KEY'.\n")
    write(key)


@keys_app.command("list")
def keys_list(as_json: JsonFlag = False) -> None:
    """Whose keys there are; a name stands once for each of its keys."""
    from assistant.keys import list_keys
    from assistant.settings import load_settings

    _show(list_keys(load_settings()), as_json, "There is no key. Make one: cohort keys new NAME")


@keys_app.command("revoke")
def keys_revoke(name: Name, as_json: JsonFlag = False) -> None:
    """Take out all keys of a name; a running service refuses them from now on."""
    from assistant.keys import revoke_key
    from assistant.settings import load_settings

    count = revoke_key(load_settings(), name)
    if as_json:
        write_json({"name": name, "revoked": count})
        return
    write(f"{'1 key' if count == 1 else f'{count} keys'} of {name} taken out.")


@users_app.command("add")
def users_add(name: Name, as_json: JsonFlag = False) -> None:
    """Let someone sign in, or change their password. It is asked for twice, or read from standard input."""
    from assistant.settings import load_settings
    from assistant.sign_in import add_user

    add_user(load_settings(), name, _password())
    if as_json:
        write_json({"name": name})
        return
    write(f"{name} can sign in to the chat.")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    first = getpass("Password: ")
    if getpass("Again: ") != first:
        raise InvalidInput("The two passwords differ.", "Try again.")
    return first


@users_app.command("list")
def users_list(as_json: JsonFlag = False) -> None:
    """Who may sign in."""
    from assistant.settings import load_settings
    from assistant.sign_in import list_users

    _show(list_users(load_settings()), as_json, "There is no user. Add one: cohort users add NAME")


@users_app.command("remove")
def users_remove(name: Name, as_json: JsonFlag = False) -> None:
    """Let someone in no longer. Their runs stay."""
    from assistant.settings import load_settings
    from assistant.sign_in import remove_user

    remove_user(load_settings(), name)
    if as_json:
        write_json({"name": name})
        return
    write(f"{name} can sign in no longer.")


def _show(names: list[str], as_json: bool, nobody: str) -> None:
    if as_json:
        write_json(names)
        return
    for name in names:
        write(name)
    if not names:
        sys.stderr.write(f"{nobody}\n")
