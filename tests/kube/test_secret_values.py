"""Tests of secret detection: what is masked, and what is left alone."""

from __future__ import annotations

import pytest

from sidecarctl.cpu_time import time_limit
from sidecarctl.kube.secret_values import is_secret_name, mask_text, mask_values

HEX = "9f86d081884c7d659a2feaa0c55ad015"
BASE64 = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


SECRET = """
PASSWORD DB_PASSWORD dbPassword DBPASSWORD API_KEY apikey ENCRYPTION_KEY GITHUB_TOKEN CLIENT_SECRET AWS_ACCESS_KEY_ID
MYSQL_PWD --api-key -password BASIC_AUTH SSH_PRIVATE_KEY
"""
HARMLESS = """
LOG_LEVEL MONKEY KEYSPACE PASSWORD_FILE TOKEN_TTL SECRET_NAME --tls-key-file KEYCLOAK_HOST PRIMARY_KEY_COLUMN tokenPath
COMPASS PATH
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["", *HARMLESS.split()])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "name", "masked"),
    [
        ("hunter2", "DB_PASSWORD", "REPLACE_ME"),
        ("1234", "PASSWORD", "REPLACE_ME"),
        ("hun$ter2", "PASSWORD", "REPLACE_ME"),
        ("/slash9Secret", "PASSWORD", "REPLACE_ME"),
        (".dot9Secret", "PASSWORD", "REPLACE_ME"),
        ("~tilde9Secret", "PASSWORD", "REPLACE_ME"),
        ("--password=hun$ter2", "", "--password=REPLACE_ME"),
        ("--password=hunter2", "", "--password=REPLACE_ME"),
        ("-token=a=b", "", "-token=REPLACE_ME"),
        ("postgres://app:hunter2@db:5432/shop", "DATABASE", "postgres://app:REPLACE_ME@db:5432/shop"),
        ('["--token","hunter2"]', "", '["--token","REPLACE_ME"]'),
        (
            '{"name":"DB_PASSWORD","value":"hunter2"}, {"name": "LEVEL", "value": "info"}',
            "",
            '{"name":"DB_PASSWORD","value":"REPLACE_ME"}, {"name": "LEVEL", "value": "info"}',
        ),
        ("redis://:hunter2@cache", "", "redis://:REPLACE_ME@cache"),
        ("password: >-\n  hunter2\n\n  hunter3\nlevel: info\n", "", "password: REPLACE_ME\nlevel: info\n"),
        ("- api_key: |\n    hunter2\n  level: info\n", "", "- api_key: REPLACE_ME\n  level: info\n"),
        ("a:\n  token:\n  - hunter2\n  - hunter3\n  b: 1\n", "", "a:\n  token: REPLACE_ME\n  b: 1\n"),
        ("token:\n    hunter2\n    hunter3\nb: 1\n", "", "token: REPLACE_ME\nb: 1\n"),
        ("secret: {a: hunter2}\nb: 1\n", "", "secret: REPLACE_ME\nb: 1\n"),
        ("tokens: 2\ntoken: [hunter2, hunter3]\n", "", "tokens: 2\ntoken: REPLACE_ME\n"),
        ('db_password = "hunter two"; level = info', "", 'db_password = "REPLACE_ME"; level = info'),
        ("password: 'hunter\n  two'\n", "", "password: 'REPLACE_ME'\n"),
        ("host=db password=hunter2 user=app", "", "host=db password=REPLACE_ME user=app"),
        ("Endpoint=x;AccountKey=abc==;Suffix=y", "", "Endpoint=x;AccountKey=REPLACE_ME;Suffix=y"),
        (
            "curl -H 'Authorization: Bearer abcdef012345' http://x",
            "",
            "curl -H 'Authorization: Bearer REPLACE_ME' http://x",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF-_1", "SESSION", "REPLACE_ME"),
        (HEX, "LICENSE", "REPLACE_ME"),
        (f"--id={HEX}", "", "--id=REPLACE_ME"),
        (BASE64, "LICENSE", "REPLACE_ME"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "USER", "REPLACE_ME"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "TLS", "REPLACE_ME"),
    ],
)
def test_masks_the_secret_part(text: str, name: str, masked: str) -> None:
    assert mask_text(text, name) == masked
    assert mask_text(masked, name) == masked


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "PASSWORD"),
        ("true", "TOKEN"),
        ("$(DB_PASSWORD)", "PASSWORD"),
        ("${DB_PASSWORD}", "PASSWORD"),
        ("/run/secrets/token", "TOKEN"),
        ("<PASSWORD>", "PASSWORD"),
        ("secret:\n  name: login\n  optional: true\n", ""),
        ("token: []\nsecret: {}\npassword:\nlevel: info\n", ""),
        ("token: |\n  ${TOKEN}\n", ""),
        ("--password-file=/etc/secret", ""),
        ("--password=$(DB_PASSWORD)", ""),
        ("postgres://app:$(DB_PASSWORD)@db/shop", ""),
        ("https://example.com:8080/path@v1", ""),
        ("registry.example/app@sha256:" + HEX * 2, "image"),
        (HEX, "GIT_COMMIT"),
        ("--rev=" + HEX, ""),
        ("/var/lib/application/data/with/a/very/long/path/Name1", ""),
        ("com.example.very.long.package.name.ServiceImplementation1", ""),
        ("a-very-long-lowercase-name-with-number-12345", ""),
        ("The quick brown fox jumps over the lazy dog", ""),
    ],
)
def test_leaves_other_values(text: str, name: str) -> None:
    assert mask_text(text, name) == text


def test_masks_variables_headers_arguments_and_commands_of_a_container() -> None:
    container = {
        "name": "agent",
        "image": "registry.example/agent@sha256:" + HEX * 2,
        "command": ["sh", "-c", "login --user me --token abc123; exec agent"],
        "args": ["--password", "hunter2", "--token", "--verbose", "--user", "app"],
        "env": [{"name": "API_KEY", "value": "abc"}, {"name": "LEVEL", "value": "info"}, {"name": "TOKEN"}],
        "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Basic YXBwOmh1bnRlcjI="}]}},
    }
    masked, paths = mask_values(container)
    assert paths == (
        ("command", 2),
        ("args", 1),
        ("env", 0, "value"),
        ("readinessProbe", "httpGet", "httpHeaders", 0, "value"),
    )
    assert masked["args"] == ["--password", "REPLACE_ME", "--token", "--verbose", "--user", "app"]
    assert masked["command"][2] == "login --user me --token REPLACE_ME; exec agent"
    assert masked["image"] == container["image"]
    assert container["args"][1] == "hunter2"


def test_keys_count_only_in_maps_with_free_keys() -> None:
    pod = {
        "tolerations": [{"key": "token", "operator": "Exists"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "a", "items": [{"key": "token", "path": "private"}]}},
            {"name": "b", "secret": {"secretName": "password"}},
            {"name": "c", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "vault"}}]}},
            {"name": "d", "csi": {"driver": "d", "volumeAttributes": {"tokenPath": "a", "source": "b", "share": "c"}}},
            {"name": "e", "csi": {"driver": "d", "volumeAttributes": {"secretProviderClass": "v", "key-usages": "u"}}},
        ],
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "password"}}}],
        "annotations": {
            "container.apparmor.security.beta.kubernetes.io/token-agent": "runtime/default",
            "sidecarctl.dev/token-agent.config-hash": "9e2d7214b52bd8d8",
            "auth.example.com/role": "reader",
        },
        "data": {"auth.yaml": "a: b\n", "nginx-auth.conf": "server {}\n", "tokenizer.json": "{}", "private.rules": "x"},
    }
    assert mask_values(pod) == (pod, ())


@pytest.mark.parametrize(
    "part",
    [
        "-",
        "a.",
        "a-",
        "eyJ-",
        "token ",
        "--password ",
        "http://a:",
        "A",
        "name:token,",
        "--token',",
        "token: |\n",
        "token:\n- a",
        'token="',
        "token={",
    ],
)
def test_long_text_takes_linear_time(part: str) -> None:
    with time_limit():
        mask_text(part * (400_000 // len(part)))
