"""Stub executables: programs called openssl that answer as the test needs.

`sh` forks by itself, so nothing in this process can stand for openssl; a file on disk can. Each
stub appends what it was called with to `calls` beside it, one call a line.
"""

import shutil
from pathlib import Path

REAL = shutil.which("openssl")

_HEAD = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$*" >>"$here/calls"
"""

# The gaps of LibreSSL 3.3.6, measured; everything else goes to the real openssl.
_LIBRESSL = """
case $1 in version) echo 'LibreSSL 3.3.6'; exit 0;; esac
case $1 in req|x509|genpkey|pkey|verify|pkcs12|crl2pkcs7|asn1parse|s_client) ;; *)
    echo "openssl:Error: '$1' is an invalid command." >&2; exit 0;; esac
for word; do case $word in
    -noenc|-ext|-checkhost|-checkip|-verify_hostname|-verify_ip|-partial_chain|-no-CApath|\\
    -copy_extensions|-not_before|-not_after|-dateopt|-check|-help|-legacy|-addext|-brief)
        echo "unknown option $word" >&2; exit 1;;
    ED25519) echo 'Algorithm ED25519 not found' >&2; exit 1;;
esac; done
umask 022
"$REAL" "$@"
status=$?
# fopen() and no more: the key is as readable as any file.
previous=
for word; do case $previous in -out|-keyout) [ -e "$word" ] && chmod 644 "$word";; esac
    previous=$word; done
exit $status
"""


def stub(folder: Path, body: str, name: str = "openssl") -> Path:
    """An executable in *folder* that runs the shell script *body*."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"{_HEAD}REAL={REAL}\n{body}\n")
    path.chmod(0o755)
    return path


def saying(folder: Path, version: str) -> Path:
    """The real openssl, but with the words *version*."""
    return stub(folder, f"case $1 in version) echo '{version}'; exit 0;; esac\nexec $REAL \"$@\"")


def libressl(folder: Path) -> Path:
    """LibreSSL 3.3.6: without its missing options, and with keys that anyone can read."""
    return stub(folder, _LIBRESSL)


def calls(path: Path) -> list[str]:
    """The arguments of each call of the stub at *path*."""
    log = path.parent / "calls"
    return log.read_text().splitlines() if log.exists() else []
