"""``convoy keys new``: makes a key, prints it once, and writes its entry, which has only a hash."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliApp, CliSubCommand, SettingsConfigDict

from service.access.api_key import RateLimit, make_key
from service.access.key_file import open_to_others, read_keys, write_entry
from service.declarations import KeyScope
from service.errors import KeyFileError

_ONLY_FOR_ITS_OWNER = 0o600


class NewKey(BaseModel):
    """Makes a key and prints it; it is shown only this once. Its entry is appended to the key file."""

    name: str = Field(min_length=1, max_length=100, description="Owner of the key.")
    scope: list[KeyScope] = Field(min_length=1, description="What the key allows; may be given several times.")
    rate_limit: RateLimit | None = Field(None, description="Most requests, as 100/second or 5000/hour; none: no limit.")
    keys_file: Path | None = Field(None, description="File for its entry; by default it is printed on standard error.")

    def cli_cmd(self) -> None:
        """Makes the key."""
        key, known = make_key(self.name, frozenset(self.scope), self.rate_limit)
        entry = write_entry(known)
        if self.keys_file is None:
            print(
                f"The key is shown once, on standard output. This is its entry for the key file:\n{entry}",
                file=sys.stderr,
            )
            print(key, flush=True)
            return
        if self.keys_file.exists():
            read_keys(self.keys_file)
            entry = f"\n{entry}"
            if warning := open_to_others(self.keys_file):
                print(warning, file=sys.stderr)
        descriptor = os.open(self.keys_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _ONLY_FOR_ITS_OWNER)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            print(key, flush=True)  # before the entry, which is useless if the key cannot be printed
            file.write(entry)


class KeysCommand(BaseSettings):
    """API keys, which clients need if the setting keys_file names a file of keys."""

    model_config = SettingsConfigDict(cli_kebab_case=True, cli_prog_name="convoy keys")

    new: CliSubCommand[NewKey] = Field(description="Make a key.")

    def cli_cmd(self) -> None:
        """Runs the subcommand."""
        CliApp.run_subcommand(self)


def main(arguments: Sequence[str]) -> int:
    """Runs the command.

    Args:
        arguments: after ``keys``.

    Returns:
        Exit status.
    """
    try:
        CliApp.run(KeysCommand, cli_args=list(arguments))
    except ValidationError as error:
        for fault in error.errors():
            print(f"convoy keys new: {_flag(fault['loc'])}: {_reason(fault)}", file=sys.stderr)
        return 2
    except KeyFileError as error:
        print(f"convoy keys new: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f"--keys-file {error.filename}: " if error.filename else ""
        print(f"convoy keys new: {place}{error.strerror}", file=sys.stderr)
        return 1
    return 0


def _flag(place: tuple[int | str, ...]) -> str:
    """The flag of a fault's place, such as ``("new", "rate_limit")``."""
    names = [name for name in place[1:] if isinstance(name, str)]
    return f"--{names[0].replace('_', '-')}" if names else "new"


def _reason(fault: ErrorDetails) -> str:
    if fault["type"] == "missing":
        return "this flag is needed"
    return fault["msg"].removeprefix("Value error, ")
