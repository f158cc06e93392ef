import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube import names


@pytest.mark.parametrize("value", ["a", "0", "web-1", "a" * 63, "1-2"])
def test_good_labels_are_taken(value: str) -> None:
    assert names.dns_label(value) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("Web", '"W"'),
        ("web_1", '"_"'),
        ("-web", "begin and end"),
        ("web-", "begin and end"),
        ("a.b", "dots"),
        ("a" * 64, "63"),
        ("", "empty"),
        ("ü", '"ü"'),
        ("web\n", "\n"),
    ],
)
def test_bad_labels_are_named_with_what_is_wrong(value: str, word: str) -> None:
    assert word in (names.dns_label(value) or "")


@pytest.mark.parametrize("value", ["a.b-c.d", "1.2", "a" * 253])
def test_good_subdomains_are_taken(value: str) -> None:
    assert names.dns_subdomain(value) is None


@pytest.mark.parametrize("value", ["a..b", ".a", "a.", "a.-b", "A.b", "a_b", "", "a" * 254])
def test_bad_subdomains_are_refused(value: str) -> None:
    assert names.dns_subdomain(value)


def test_services_begin_with_a_letter_until_the_rule_was_relaxed() -> None:
    assert names.service_name("1web", "1.35") == "must begin with a letter"
    assert names.service_name("1web", "1.36") is None
    assert names.service_name("web", "1.25") is None


@pytest.mark.parametrize("value", ["http", "h-2", "a" * 15, "80a"])
def test_good_port_names_are_taken(value: str) -> None:
    assert names.port_name(value) is None


@pytest.mark.parametrize("value", ["", "a" * 16, "HTTP", "8080", "a--b", "-a", "a-", "a_b", "é"])
def test_bad_port_names_are_refused(value: str) -> None:
    assert names.port_name(value)


@pytest.mark.parametrize("value", ["app", "app.kubernetes.io/name", "A_b.c-1", "x/" + "a" * 63])
def test_good_label_keys_are_taken(value: str) -> None:
    assert names.qualified_name(value) is None


@pytest.mark.parametrize("value", ["", "/a", "a/", "a/b/c", "A/b", "-a", "a" * 64, "x/" + "a" * 64, "a b", "é", "a\n"])
def test_bad_label_keys_are_refused(value: str) -> None:
    assert names.qualified_name(value)


def test_label_values_may_be_empty_and_have_63_characters() -> None:
    assert names.label_value("") is None
    assert names.label_value("v1.2_x") is None
    assert names.label_value("a" * 64)
    assert names.label_value("a b")
    assert names.label_value("_a")


def test_env_names_were_relaxed_in_1_32() -> None:
    assert names.env_name("A.b-c_1", "1.25") is None
    for value in ("1A", "A B", "..a", "."):
        assert names.env_name(value, "1.31"), value
        assert names.env_name(value, "1.32") is None, value
    for value in ("", "A=B", "Ä", "A\n"):
        assert names.env_name(value, "1.31"), value
        assert names.env_name(value, "1.37"), value


def test_config_map_keys() -> None:
    assert names.config_map_key("app.conf") is None
    assert names.config_map_key("..data")
    assert names.config_map_key("a/b")
    assert names.config_map_key("a" * 254)


def test_a_label_is_made_of_any_text() -> None:
    assert names.as_label("Web_App 1") == "web-app-1"
    assert names.as_label("__") == ""


@given(st.text())
def test_what_as_label_makes_is_a_label(value: str) -> None:
    made = names.as_label(value)
    assert not made or names.dns_label(made) is None


@given(st.text())
def test_any_text_gets_an_answer(value: str) -> None:
    for check in (
        names.dns_label,
        names.dns_subdomain,
        names.dns_label_1035,
        names.wildcard_subdomain,
        names.port_name,
        names.qualified_name,
        names.label_value,
        names.config_map_key,
        names.header_name,
    ):
        problem = check(value)
        assert problem is None or problem
    assert names.env_name(value, "1.30") is None or names.env_name(value, "1.30")
