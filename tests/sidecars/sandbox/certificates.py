"""Certificates for tests, made with openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.programs import INSTALL_FOR_SIDECARS, program


def make_certificate(folder: Path, name: str = "shop.example.com", years: int = 1) -> dict[str, bytes]:
    """Return a self-signed certificate and its key, named as in a Secret of type kubernetes.io/tls, and as its own CA."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        program("openssl", INSTALL_FOR_SIDECARS),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]
    words += ["-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", str(365 * years)]
    words += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(words, check=True, capture_output=True)
    certificate, key = (folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes()
    return {"tls.crt": certificate, "tls.key": key, "ca.crt": certificate}


def client_context(ca: bytes, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return a context that trusts only `ca`, and presents a client certificate if given (certificate and key files)."""
    context = ssl.create_default_context(cadata=ca.decode())
    if certificate:
        context.load_cert_chain(*certificate)
    return context
