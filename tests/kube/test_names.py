import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube import names


@pytest.mark.parametrize("value", ["a", "0", "web-1", "a" * 63, "1-2"])
def test_good_labels_are_taken(value: str) -> None:
    assert names.check_dns_label(value) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("Web", "use lowercase letters, digits, and hyphens"),
        ("web_1", "use lowercase letters, digits, and hyphens"),
        ("-web", "start and end with a letter or digit"),
        ("web-", "start and end with a letter or digit"),
        ("a.b", "dots"),
        ("a" * 64, "64 characters long (limit: 63)"),
        ("", "empty"),
        ("ü", "use lowercase letters"),
        ("web\n", "use lowercase letters"),
    ],
)
def test_bad_labels_are_named_with_what_is_wrong(value: str, word: str) -> None:
    assert word in (names.check_dns_label(value) or "")


@pytest.mark.parametrize("value", ["a.b-c.d", "1.2", "a" * 253])
def test_good_subdomains_are_taken(value: str) -> None:
    assert names.check_dns_subdomain(value) is None


@pytest.mark.parametrize("value", ["a..b", ".a", "a.", "a.-b", "A.b", "a_b", "", "a" * 254])
def test_bad_subdomains_are_refused(value: str) -> None:
    assert names.check_dns_subdomain(value)


def test_services_begin_with_a_letter_until_the_rule_was_relaxed() -> None:
    assert names.check_service_name("1web", "1.35") == "start with a letter"
    assert names.check_service_name("1web", "1.36") is None
    assert names.check_service_name("web", "1.25") is None


@pytest.mark.parametrize("value", ["http", "h-2", "a" * 15, "80a"])
def test_good_port_names_are_taken(value: str) -> None:
    assert names.check_port_name(value) is None


@pytest.mark.parametrize("value", ["", "a" * 16, "HTTP", "8080", "a--b", "-a", "a-", "a_b", "é"])
def test_bad_port_names_are_refused(value: str) -> None:
    assert names.check_port_name(value)


@pytest.mark.parametrize("value", ["app", "app.kubernetes.io/name", "A_b.c-1", "x/" + "a" * 63])
def test_good_label_keys_are_taken(value: str) -> None:
    assert names.check_qualified_name(value) is None


@pytest.mark.parametrize("value", ["", "/a", "a/", "a/b/c", "A/b", "-a", "a" * 64, "x/" + "a" * 64, "a b", "é", "a\n"])
def test_bad_label_keys_are_refused(value: str) -> None:
    assert names.check_qualified_name(value)


def test_label_values_may_be_empty_and_have_63_characters() -> None:
    assert names.check_label_value("") is None
    assert names.check_label_value("v1.2_x") is None
    assert names.check_label_value("a" * 64)
    assert names.check_label_value("a b")
    assert names.check_label_value("_a")


def test_env_names_were_relaxed_in_1_32() -> None:
    assert names.check_env_name("A.b-c_1", "1.25") is None
    for value in ("1A", "A B", "..a", "."):
        assert names.check_env_name(value, "1.31"), value
        assert names.check_env_name(value, "1.32") is None, value
    for value in ("", "A=B", "Ä", "A\n"):
        assert names.check_env_name(value, "1.31"), value
        assert names.check_env_name(value, "1.37"), value


def test_config_map_keys() -> None:
    assert names.check_config_key("app.conf") is None
    assert names.check_config_key("..data")
    assert names.check_config_key("a/b")
    assert names.check_config_key("a" * 254)


def test_a_label_is_made_of_any_text() -> None:
    assert names.to_dns_label("Web_App 1") == "web-app-1"
    assert names.to_dns_label("__") == ""


@given(st.text())
def test_what_as_label_makes_is_a_label(value: str) -> None:
    made = names.to_dns_label(value)
    assert not made or names.check_dns_label(made) is None


@given(st.text())
def test_any_text_gets_an_answer(value: str) -> None:
    for check in (
        names.check_dns_label,
        names.check_dns_subdomain,
        names.check_dns_label_1035,
        names.check_wildcard_subdomain,
        names.check_port_name,
        names.check_qualified_name,
        names.check_label_value,
        names.check_config_key,
        names.check_header_name,
    ):
        problem = check(value)
        assert problem is None or problem
    assert names.check_env_name(value, "1.30") is None or names.check_env_name(value, "1.30")
