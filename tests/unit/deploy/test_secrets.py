import base64
import hashlib
import stat
from pathlib import Path

import msgspec
import pytest

from deploy.local.secrets import generate, load_or_create, supabase_key
from libs.bus.permissions import ADMIN, SERVICES
from libs.service import CannotStart
from libs.service.secrets import weakness


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "secrets.json")
    assert load_or_create(tmp_path / "secrets.json") == first


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    load_or_create(tmp_path / "secrets.json")
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_two_stacks_share_no_secret() -> None:
    mine, other = (msgspec.to_builtins(generate()) for _ in range(2))
    assert not {*mine.pop("nats").values(), *mine.values()} & {*other.pop("nats").values(), *other.values()}


def test_every_nats_user_has_a_password() -> None:
    assert set(generate().nats) == {*SERVICES, ADMIN}


def test_a_service_that_is_new_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    old = load_or_create(path)
    kept = {user: password for user, password in old.nats.items() if user != "crm"}
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(old, nats=kept)))
    new = load_or_create(path)
    assert new.nats.items() > kept.items()
    assert set(new.nats) == set(old.nats)
    assert load_or_create(path) == new


@pytest.mark.parametrize("content", ["", "{", '{"nats": {}}', '{"nats": 1}'])
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(CannotStart, match=r"secrets\.json is damaged"):
        load_or_create(path)
    assert path.read_text() == content


def test_generated_secrets_would_do_in_production() -> None:
    secrets = generate()
    assert weakness(secrets.supabase_jwt_secret, 32) is None
    assert weakness(secrets.supabase_secret_key, 16) is None
    assert weakness(secrets.broker_api_token, 16) is None
    assert all(weakness(password, 16) is None for password in secrets.nats.values())


@pytest.mark.parametrize("kind", ["publishable", "secret"])
def test_a_supabase_key_has_the_form_and_checksum_of_supabase(kind: str) -> None:
    key = supabase_key(kind)
    body, checksum = key[:-9], key[-8:]
    assert key.startswith(f"sb_{kind}_")
    assert len(body) == len(f"sb_{kind}_") + 22
    digest = hashlib.sha256(f"supabase-self-hosted|{body}".encode()).digest()
    assert checksum == base64.urlsafe_b64encode(digest).decode()[:8]


def test_a_known_key_of_supabase_has_this_checksum() -> None:
    """Made by `lite generate-keys` of @supabase/lite 0.10.0."""
    key = "sb_publishable_c5WgEhvSfvVSFtrq8dp_h2_jYEgdRK-"
    digest = hashlib.sha256(f"supabase-self-hosted|{key[:-9]}".encode()).digest()
    assert key[-8:] == base64.urlsafe_b64encode(digest).decode()[:8]
