"""The server's configuration: read strictly, refused by the field's name."""

import json
from pathlib import Path

import pytest

from issuance_server.config import ENVIRONMENT_VARIABLE, ConfigError, load, load_from_environment

REVOCATION = {"ocsp_address": "https://ocsp.example/", "max_age_s": 60}
VALUES: dict[str, object] = {
    "database_url": "sqlite:////var/lib/madoguchi/issuance.db",
    "keys_folder": "keys",
    "anchors_folder": "/etc/madoguchi/anchors",
    "authorities": ["issuing.example", "127.0.0.1:8800"],
    "check_address": "https://check.example/",
    "production": True,
    "revocation": REVOCATION,
}


def toml(value: object) -> str:
    """Return a value as it stands on a line of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


def written(tmp_path: Path, values: dict[str, object], name: str = "server.toml") -> Path:
    """Write a configuration."""
    path = tmp_path / name
    lines = "".join(f"{key} = {toml(value)}\n" for key, value in values.items())
    path.write_text(lines if name.endswith(".toml") else json.dumps(values))
    return path


@pytest.mark.parametrize("name", ["server.toml", "server.json"])
def test_a_file_is_read_and_its_paths_are_its_own(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, VALUES, name)
    config = load_from_environment({ENVIRONMENT_VARIABLE: str(path)})
    assert config == load(path)
    assert config.keys_folder == tmp_path / "keys"
    assert config.anchors_folder == Path("/etc/madoguchi/anchors")
    assert config.authorities == ("issuing.example", "127.0.0.1:8800")
    assert config.production is True


def test_an_addon_font_may_be_named(tmp_path: Path) -> None:
    assert load(written(tmp_path, VALUES)).addon_font is None
    assert load(written(tmp_path, {**VALUES, "addon_font": "addon.ttf"})).addon_font == tmp_path / "addon.ttf"
    with pytest.raises(ConfigError, match="addon_font"):
        load(written(tmp_path, {**VALUES, "addon_font": ""}))


def test_the_card_authoritys_folders_are_beside_the_file_too(tmp_path: Path) -> None:
    named = {**REVOCATION, "crls_folder": "lists", "responders_folder": "/etc/madoguchi/responders"}
    config = load(written(tmp_path, {**VALUES, "revocation": named}))
    assert config.revocation.crls_folder == tmp_path / "lists"
    assert config.revocation.responders_folder == Path("/etc/madoguchi/responders")


def test_s10_more_than_one_server_needs_postgresql(tmp_path: Path) -> None:
    shared = {**VALUES, "database_url": "postgresql+psycopg://madoguchi@database/issuance", "servers": 2}
    assert load(written(tmp_path, shared)).servers == 2
    with pytest.raises(ConfigError, match="servers: SQLite serves one"):
        load(written(tmp_path, {**VALUES, "servers": 2}))


@pytest.mark.parametrize("field", sorted(VALUES))
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    path = written(tmp_path, {name: value for name, value in VALUES.items() if name != field})
    with pytest.raises(ConfigError, match=field):
        load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", ""),
        ("keys_folder", ""),
        ("keys_folder", 5),
        ("authorities", []),
        ("authorities", ["https://issuing.example"]),
        ("authorities", ["Issuing.example"]),
        ("check_address", "check.example"),
        ("production", "yes"),
        ("ocsp_address", {**REVOCATION, "ocsp_address": "ocsp.example"}),
        ("max_age_s", {**REVOCATION, "max_age_s": 0}),
        ("max_age_s", {"ocsp_address": "https://ocsp.example/"}),
        ("cert_id_hash", {**REVOCATION, "cert_id_hash": "md5"}),
        ("timeout_s", {**REVOCATION, "timeout_s": 60}),
        ("servers", 0),
        ("servers", 2),  # on SQLite
        ("debug", True),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        load(written(tmp_path, {**VALUES, "revocation" if isinstance(value, dict) else field: value}))


@pytest.mark.parametrize("name", ["server.toml", "server.json"])
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(tmp_path / name)
    (tmp_path / name).write_bytes(b"\xff{")
    with pytest.raises(ConfigError, match=name):
        load(tmp_path / name)


@pytest.mark.parametrize("environment", [{}, {ENVIRONMENT_VARIABLE: ""}])
def test_the_environment_must_name_it(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=ENVIRONMENT_VARIABLE):
        load_from_environment(environment)
