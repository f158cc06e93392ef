"""Words of a text as a search compares them: in lower case, without endings, with the words that people use for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

_WORD = re.compile(r"[a-z0-9]+(?:[-_.+][a-z0-9]+)*")
_PART = re.compile(r"[-_.+]")
# An ending, and what replaces it; the first that fits. A stem has at least three letters.
_ENDINGS = (
    *((ending, "") for ending in ("ations", "ation", "ings", "ing", "ers", "er", "ions", "ion")),
    *(("ies", "y"), ("es", ""), ("ed", ""), ("ss", "ss"), ("s", ""), ("e", "")),
)
_SHORTEST = 3

# What people search for: the words that sidecars have in their keywords, names, and summaries.
_RELATED = {
    **dict.fromkeys(("apm", "span", "spans", "jaeger", "zipkin"), ("traces", "opentelemetry")),
    "backup": ("backup", "snapshot", "restore"),
    **dict.fromkeys(("authentication", "authn", "authorization", "login", "signin"), ("authentication", "oidc")),
    **dict.fromkeys(("auth", "sso", "saml", "oauth", "openid", "keycloak", "identity"), ("authentication", "oidc")),
    **dict.fromkeys(("ssl", "https", "encryption", "encrypt"), ("tls", "certificate")),
    **dict.fromkeys(("cert", "certs", "acme", "letsencrypt"), ("certificate",)),
    **dict.fromkeys(("credential", "credentials", "password", "passwords"), ("secrets", "vault")),
    **dict.fromkeys(("monitoring", "monitor", "grafana", "exporter"), ("metrics", "prometheus")),
    "observability": ("metrics", "traces", "logs"),
    **dict.fromkeys(("database", "databases", "db", "sql", "rds", "postgresql"), ("database", "postgres", "mysql")),
    **dict.fromkeys(("gateway", "loadbalancer", "load-balancer", "reverse-proxy", "ingress"), ("proxy",)),
    **dict.fromkeys(("service-mesh", "servicemesh"), ("mesh",)),
    **dict.fromkeys(("config", "configs", "settings"), ("configuration", "configmap")),
    **dict.fromkeys(("repository", "repo", "clone", "checkout"), ("git",)),
    **dict.fromkeys(("throttling", "throttle", "ratelimit"), ("rate-limit",)),
    **dict.fromkeys(("discovery",), ("service-discovery",)),
    **dict.fromkeys(("telemetry", "otel"), ("opentelemetry",)),
    **dict.fromkeys(("queue", "messaging", "pub-sub"), ("pubsub",)),
    **dict.fromkeys(("kibana", "elk"), ("elasticsearch",)),
}


def stem(word: str) -> str:
    """Return a word without its ending: `logging`, `logger`, and `logs` give `log`."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= _SHORTEST:
            found = word[: -len(ending)] + instead
            doubled = ending[:1] in "ie" and len(found) > _SHORTEST and found[-1] == found[-2] and found[-1] not in "sl"
            return found[:-1] if doubled else found
    return word


def stems(text: str) -> Iterator[str]:
    """Yield the stems of the words of a text. `rate-limit` gives `rate`, `limit`, and `ratelimit`."""
    for word in _WORD.findall(text.lower()):
        parts = _PART.split(word)
        yield from map(stem, parts)
        if len(parts) > 1:
            yield stem("".join(parts))


def contains(found: Set[str], word: str) -> bool:
    """Return whether stems contain a word, or all parts of a word with hyphens."""
    parts = _PART.split(word.lower())
    return stem("".join(parts)) in found or all(stem(part) in found for part in parts)


def related(word: str) -> tuple[str, ...]:
    """Return the stems of the words that sidecars have for a word that people search for; empty for none."""
    found = _RELATED.get(word.lower(), ())
    return tuple(stem("".join(_PART.split(each))) for each in found)
