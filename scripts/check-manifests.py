"""Checks what schemas do not know: that the manifests agree with each other.

Call: python scripts/check-manifests.py RENDERED
"""

import sys
from pathlib import Path

import yaml

KUBERNETES = Path("deploy/kubernetes")
GATEWAY = Path("deploy/gateway")


def main(rendered):
    manifests = {}
    for manifest in yaml.safe_load_all(Path(rendered).read_text()):
        manifests[manifest["kind"]] = manifest
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    pod = manifests["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    settings = settings_of(kustomization)

    every_file_is_listed(kustomization)
    a_pod_has_time_to_end(pod["spec"], container, settings)
    ports_have_names(manifests, container, settings)
    selectors_find_the_pods(manifests, pod)
    compose_has_time_to_end(yaml.safe_load(Path("compose.yaml").read_text()), "framesign")
    check_gateway()


def check_gateway():
    """The same of the sidecar, and that its files have room."""
    compose_has_time_to_end(yaml.safe_load((GATEWAY / "compose.yaml").read_text()), "gateway")
    manifests = {}
    for manifest in yaml.safe_load_all((GATEWAY / "kubernetes.yaml").read_text()):
        manifests[manifest["kind"]] = manifest
    pod = manifests["Deployment"]["spec"]["template"]
    container = pod["spec"]["initContainers"][0]
    settings = {variable["name"]: variable["value"] for variable in container["env"]}

    a_pod_has_time_to_end(pod["spec"], container, settings)
    ports_have_names(manifests, container, settings)
    selectors_find_the_pods(manifests, pod)
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    expect("mounts", {mount["name"] for mount in container["volumeMounts"]}, set(volumes))
    expect("the size of the volume", volumes["spool"]["emptyDir"]["sizeLimit"], "1Gi")
    expect_less("files", int(settings["FRAMESIGN_SPOOL_MAX"]), 1 << 30)


def settings_of(kustomization):
    literals = kustomization["configMapGenerator"][0]["literals"]
    return dict(literal.split("=", 1) for literal in literals)


def every_file_is_listed(kustomization):
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    expect("resources", set(kustomization["resources"]), files)


def a_pod_has_time_to_end(pod, container, settings):
    delay = int(settings["FRAMESIGN_SHUTDOWN_DELAY"])
    timeout = int(settings["FRAMESIGN_SHUTDOWN_TIMEOUT"])
    expect_less("delay and time-out of the shutdown", delay + timeout, pod["terminationGracePeriodSeconds"])
    probe = container["readinessProbe"]
    notices = (probe["periodSeconds"] + probe["timeoutSeconds"]) * probe["failureThreshold"]
    expect_less("what readiness takes to notice", notices, delay)


def ports_have_names(manifests, container, settings):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = {
        "http": int(settings["FRAMESIGN_LISTEN"].rsplit(":", 1)[1]),
        "admin": int(settings["FRAMESIGN_ADMIN_LISTEN"].rsplit(":", 1)[1]),
    }
    expect("ports", ports, listens)
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
        expect(probe, container[probe]["httpGet"]["port"], "admin")
    expect("the service's port", manifests["Service"]["spec"]["ports"][0]["targetPort"], "http")


def selectors_find_the_pods(manifests, pod):
    labels = pod["metadata"]["labels"]
    selectors = {
        "Deployment": manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        "Service": manifests["Service"]["spec"]["selector"],
        "NetworkPolicy": manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        "PodDisruptionBudget": manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    }
    for constraint in pod["spec"].get("topologySpreadConstraints", []):
        selectors[constraint["topologyKey"]] = constraint["labelSelector"]["matchLabels"]
    for kind, selector in selectors.items():
        expect(f"labels of {kind}", selector, labels)


def compose_has_time_to_end(compose, name):
    service = compose["services"][name]
    timeout = int(service["environment"]["FRAMESIGN_SHUTDOWN_TIMEOUT"])
    expect_less("time-out of the shutdown", timeout, int(service["stop_grace_period"].removesuffix("s")))


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: expected {expected}, found {found}")


def expect_less(what, found, limit):
    if found >= limit:
        sys.exit(f"{what}: expected less than {limit} s, found {found} s")


main(*sys.argv[1:])
