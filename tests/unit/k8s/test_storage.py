"""What the doctor finds where films and checkpoints lie."""

import pytest

from k8s import storage


def test_a_missing_secret_is_named_with_the_key_that_names_it():
    wanted = {"imagePullSecrets": [{"name": "registry"}], "existingSecret": "s3"}
    found = {each.what: each for each in storage.secrets(wanted, {"registry": {}, "s3": None})}
    assert found["pull secret"].level == "good"
    assert found["storage secret"].text == "existingSecret names the Secret s3, which is not there"
    assert found["storage secret"].cure == "kubectl create secret generic s3 ..."


def test_the_mlflow_secret_is_looked_for():
    (finding,) = storage.secrets({"mlflow": {"existingSecret": "tracking"}}, {"tracking": None})
    assert (finding.what, finding.level) == ("MLflow secret", "blocking")
    assert finding.text == "mlflow.existingSecret names the Secret tracking, which is not there"


def test_a_store_of_event_files_is_a_store():
    assert storage.stores({"training": {"trackers": {"tensorboard": {"directory": "s3://boards"}}}}) == ["s3://boards"]


def test_a_store_without_credentials_is_noted():
    wanted = {"training": {"data": {"training": "s3://films/nih"}}}
    assert [each.level for each in storage.secrets(wanted, {})] == ["note"]
    assert list(storage.secrets(wanted | {"serviceAccount": {"annotations": {"a": "b"}}}, {})) == []


STORED = {"existingSecret": "s3", "training": {"data": {"training": "s3://films/nih"}}}


def found(wanted: dict, *keys: str) -> list[tuple[str, str]]:
    """Of a Secret s3 with these keys: level and text of what is not good."""
    secret = {"data": dict.fromkeys(keys, "aGlkZGVu")}
    return [(each.level, each.text) for each in storage.secrets(wanted, {"s3": secret}) if each.level != "good"]


def test_a_secret_with_half_a_key_pair_opens_no_store():
    lacking = "with Secret s3, AWS_SECRET_ACCESS_KEY is still missing to open s3://"
    assert found(STORED, "AWS_ACCESS_KEY_ID") == [("blocking", lacking)]
    assert found(STORED, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION") == []
    assert found(STORED | {"extraEnv": [{"name": "AWS_SECRET_ACCESS_KEY"}]}, "AWS_ACCESS_KEY_ID") == []


def test_a_secret_that_opens_nothing_is_noted_for_a_node_may_have_an_identity():
    assert [level for level, _ in found(STORED, "CXR_TRAIN_PATIENT_KEY")] == ["note"]
    identity = {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn"}}}
    assert found(STORED | identity, "CXR_TRAIN_PATIENT_KEY") == []


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("gs://films/nih", ["GOOGLE_SERVICE_ACCOUNT_KEY"]),
        ("gs://films/nih", ["GOOGLE_APPLICATION_CREDENTIALS"]),
        ("az://films/nih", ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"]),
    ],
)
def test_each_store_has_keys_of_its_own(address, keys):
    wanted = STORED | {"training": {"checkpoint": {"directory": address}}}
    assert found(wanted, *keys) == []
    assert found(wanted, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") != []


def test_stores_of_prepare_count_where_the_chart_prepares():
    wanted = {"training": {"prepare": {"source": ["/films", "s3://raw/a"], "destination": "s3://sets/a"}}}
    assert storage.stores(wanted) == []
    assert storage.stores(wanted | {"prepare": {"enabled": True}}) == ["s3://raw/a", "s3://sets/a"]


def test_keys_of_other_names_have_to_be_in_the_secret():
    wanted = STORED | {"existingSecretKeys": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}}
    assert found(wanted, "id", "secret", "more") == []
    assert found(wanted, "id") == [("blocking", "Secret s3 has no key secret, which existingSecretKeys names")]


def test_a_key_that_no_rank_gets_is_noted():
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "accesskey")
    assert found(STORED, *keys) == [("note", "Secret s3 holds accesskey, which no rank gets")]


def test_no_value_of_a_secret_is_told():
    secret = {"data": {"AWS_ACCESS_KEY_ID": "aGlkZGVu", "other": "aGlkZGVu"}}
    assert "aGlkZGVu" not in str(list(storage.secrets(STORED, {"s3": secret})))


def test_a_secret_that_may_not_be_read_is_taken_to_be_right():
    assert [each.level for each in storage.secrets(STORED, {"s3": {"spec": {}}})] == ["good"]


def test_a_claim_of_one_node_is_noted_for_several_workers():
    wanted = {"workers": {"count": 2}} | {"data": {"existingClaim": "films"}}
    once, many = ({"spec": {"accessModes": [mode]}} for mode in ("ReadWriteOnce", "ReadWriteMany"))
    assert [each.level for each in storage.claims(wanted, {"films": once})] == ["note"]
    assert [each.level for each in storage.claims(wanted, {"films": many})] == ["good"]
    assert [each.level for each in storage.claims(wanted, {"films": None})] == ["blocking"]


def test_checkpoints_that_end_with_their_pod_are_noted():
    assert storage.checkpoints({}, None).level == "note"
    assert storage.checkpoints({"training": {"checkpoint": {"directory": "s3://runs/a"}}}, None).level == "good"


def test_a_claim_needs_a_storage_class():
    wanted = {"checkpoint": {"persistence": {"enabled": True}}}
    default = {"metadata": {"name": "a", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    assert storage.checkpoints(wanted, []).level == "blocking"
    assert storage.checkpoints(wanted, [default]).level == "good"
    wanted["checkpoint"]["persistence"]["storageClass"] = "fast"
    assert "fast" in storage.checkpoints(wanted, [default]).text
