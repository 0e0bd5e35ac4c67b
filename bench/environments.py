"""An environment for each peer, under ``build/peers``: made once, and again when its requirements change."""

import subprocess
import sys
from pathlib import Path

from bench.folders import ROOT
from bench.peers.catalog import Peer

_PEERS = ROOT / "build" / "peers"
_TIMEOUT_S = 900


class InstallFailedError(RuntimeError):
    """A peer could not be installed; the message holds the installer's last line."""


def environment_of(peer: Peer) -> Path:
    """Installs a peer, unless it is installed already.

    Args:
        peer: to install.

    Returns:
        The interpreter of its environment.

    Raises:
        InstallFailedError: it cannot be installed here.
    """
    folder = _PEERS / peer.module
    python, stamp = folder / "bin" / "python", folder / ".requirements"
    wanted = "\n".join(peer.requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {peer.name}", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--compile"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=_TIMEOUT_S)
        subprocess.run(
            [*install, *peer.requirements], check=True, timeout=_TIMEOUT_S, stderr=subprocess.PIPE, text=True
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        raise InstallFailedError(f"pip could not install it: {' '.join(last)[:300]}") from error
    except subprocess.TimeoutExpired as error:
        raise InstallFailedError(f"pip took longer than {_TIMEOUT_S} s") from error
    stamp.write_text(wanted)
    return python
