"""The line that starts the ranks carries no value of the environment."""

from k8s import environment, mpirun

POD = {
    "AWS_SECRET_ACCESS_KEY": "hush",
    "CXR_TRAIN_PATIENT_KEY": "hush",
    "HOSTNAME": "here",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "NCCL_DEBUG": "INFO",
    "OMPI_MCA_orte_default_hostfile": "/etc/mpi/hostfile",
    "OMPI_MCA_btl_tcp_if_include": "eth1",
    "OMPI_MCA_pml": "ucx",
    "PATH": "/bin",
    "SSH_CONNECTION": "x",
    "SECRET_OF_ANOTHER_PROGRAM": "hush",
    "MY_SWITCH": "on",
    "CXR_TRAIN_PASS": "MY_SWITCH, HOSTNAME",
}


def test_hosts_are_given_with_their_slots_and_rank_0_is_on_the_first():
    line = mpirun.command(["a.job", "c.job"], 2, 7, ["trainer"])
    assert line[line.index("--host") + 1] == "a.job:2,c.job:2"
    assert line[line.index("-np") + 1] == "4"
    assert line[line.index("--map-by") + 1] == "slot"
    assert line[-4:] == ["-m", "k8s.rank", "7", "trainer"]


def test_no_variable_travels_in_the_line():
    line = mpirun.command(["a"], 1, 1, mpirun.rank_command("train", "/c.yaml", ["a.b=1"], "text"))
    assert "-x" not in line
    assert "hush" not in " ".join(line)


def test_root_is_allowed_only_where_it_is_root():
    assert "--allow-run-as-root" not in mpirun.command(["a"], 1, 1, [])
    assert "--allow-run-as-root" in mpirun.command(["a"], 1, 1, [], as_root=True)


def test_settings_of_the_attempt_come_after_the_file():
    command = mpirun.rank_command("evaluate", "/c.yaml", ["a.b=1", "c.d=2"], "json")
    given = command[command.index("--config") :]
    assert given == ["--config", "/c.yaml", "--set", "a.b=1", "--set", "c.d=2", "--log-format", "json"]


def test_mpirun_gets_nothing_that_is_meant_for_ranks():
    given = environment.of_mpirun(POD)
    assert "hush" not in given.values()
    assert not {"HOSTNAME", "KUBERNETES_SERVICE_HOST", "NCCL_DEBUG", "MY_SWITCH"} & given.keys()


def test_the_operators_hostfile_does_not_hide_the_hosts_of_the_line():
    assert "OMPI_MCA_orte_default_hostfile" not in environment.of_mpirun(POD)


def test_what_the_user_sets_for_open_mpi_wins():
    given = environment.of_mpirun(POD)
    assert given["OMPI_MCA_pml"] == "ucx"
    assert given["OMPI_MCA_btl_tcp_if_include"] == "eth1"
    assert environment.of_mpirun({})["OMPI_MCA_pml"] == "ob1"


def test_ranks_get_their_pods_secrets_and_settings():
    given = environment.of_a_rank(POD)
    assert {given["AWS_SECRET_ACCESS_KEY"], given["CXR_TRAIN_PATIENT_KEY"]} == {"hush"}
    assert given["NCCL_DEBUG"] == "INFO"


def test_ranks_get_what_opens_the_mlflow_server():
    given = environment.of_a_rank({"MLFLOW_TRACKING_TOKEN": "hush", "MLFLOW_TRACKING_USERNAME": "me"})
    assert set(given) == {"MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME"}


def test_a_users_own_name_is_passed_if_it_is_listed_and_describes_no_place():
    given = environment.of_a_rank(POD)
    assert given["MY_SWITCH"] == "on"
    assert not {"HOSTNAME", "KUBERNETES_SERVICE_HOST", "SSH_CONNECTION", "SECRET_OF_ANOTHER_PROGRAM"} & given.keys()


def test_what_mpirun_gave_a_rank_is_not_overwritten():
    assert not [name for name in environment.of_a_rank(POD) if name.startswith(("OMPI_", "PMIX_"))]
