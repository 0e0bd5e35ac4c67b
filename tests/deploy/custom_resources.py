"""Checks custom resources as strictly as a server does: ``python -m tests.deploy.custom_resources FILE...``.

==================  ==========================================================================================
KEDA, Prometheus    ``cloudcoil``'s models, made from the definitions (CRD): fields that a model does not know get lost
KServe              the classes of the ``kserve`` package, made from its API: fields, types, what is required
KubeRay             no package has its definition: the fields that the manifest needs; its pods as Kubernetes pods
==================  ==========================================================================================
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kserve.models
import kubernetes.client.models as k8s
import kubernetes_validate
import pydantic
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor

_SCALARS: dict[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
_FREE = {"object", "ResourceQuantity", "V1ObjectMeta", "K8sIoApimachineryPkgApisMetaV1ObjectMeta"}


_MODELS: dict[str, type[pydantic.BaseModel]] = {"ScaledObject": ScaledObject, "ServiceMonitor": ServiceMonitor}
_CLASSES = {"InferenceService": "V1beta1InferenceService", "ServingRuntime": "V1alpha1ServingRuntime"}
_RAY_GROUP = {"rayStartParams": dict, "template": dict}
_RAY_WORKERS = {**_RAY_GROUP, "groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int}
_RAY_CLUSTER = {"rayVersion": str, "enableInTreeAutoscaling": bool, "headGroupSpec": dict, "workerGroupSpecs": list}
_RAY_SERVICE = {"serveConfigV2": str, "rayClusterConfig": dict}


def faults_of(document: dict[str, Any]) -> list[str]:
    """The errors that an API server would report for a document.

    Args:
        document: of a kind that occurs in the manifests.

    Returns:
        One line per error; empty where there is none.
    """
    kind = document["kind"]
    if kind in _MODELS:
        return list(_check_model(document, _MODELS[kind]))
    if kind in _CLASSES:
        return list(_check(document, _CLASSES[kind], kind))
    return list(_check_ray(document))


def _check_model(document: dict[str, Any], model: type[pydantic.BaseModel]) -> Iterator[str]:
    try:
        known = model.model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")
    except pydantic.ValidationError as error:
        yield str(error)
        return
    yield from _lost(document, known, document["kind"])


def _lost(value: Any, known: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(known, dict):
        for name, entry in value.items():
            if name in known:
                yield from _lost(entry, known[name], f"{where}.{name}")
            else:
                yield f"{where}: there is no field {name}"
    elif isinstance(value, list) and isinstance(known, list):
        for number, (entry, other) in enumerate(zip(value, known, strict=True)):
            yield from _lost(entry, other, f"{where}[{number}]")
    elif value != known:
        yield f"{where}: {value!r} would be taken as {known!r}"


def _check_ray(document: dict[str, Any]) -> Iterator[str]:
    if document["apiVersion"] != "ray.io/v1":
        yield "RayService: the version is ray.io/v1"
    yield from _check_table(document["spec"], _RAY_SERVICE, "RayService.spec")
    cluster = document["spec"]["rayClusterConfig"]
    yield from _check_table(cluster, _RAY_CLUSTER, "rayClusterConfig")
    groups = [("headGroupSpec", cluster["headGroupSpec"], _RAY_GROUP)]
    groups += [(group["groupName"], group, _RAY_WORKERS) for group in cluster["workerGroupSpecs"]]
    for where, group, table in groups:
        yield from _check_table(group, table, where)
        parameters = group["rayStartParams"]
        yield from (
            f"{where}.rayStartParams.{name}: a text is needed"
            for name in parameters
            if not isinstance(parameters[name], str)
        )
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **group["template"]}
        try:
            kubernetes_validate.validate(pod, "1.33", strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{where}.template: {error}"


def _check_table(value: dict[str, Any], table: dict[str, type], where: str) -> Iterator[str]:
    for name, entry in value.items():
        if name not in table:
            yield f"{where}: there is no field {name}"
        elif not isinstance(entry, table[name]):
            yield f"{where}.{name}: {table[name].__name__} is needed"
    yield from (f"{where}: {name} is missing" for name in table if name not in value)


def _check(value: Any, kind: str, where: str) -> Iterator[str]:
    if kind in _FREE:
        return
    if listed := re.fullmatch(r"[Ll]ist\[(.+)\]", kind):
        if not isinstance(value, list):
            yield f"{where}: a list is needed"
            return
        for number, entry in enumerate(value):
            yield from _check(entry, listed[1], f"{where}[{number}]")
        return
    if kind in _SCALARS:
        if not isinstance(value, _SCALARS[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{where}: {kind} is needed"
        return
    if not isinstance(value, dict):
        yield f"{where}: an object is needed"
    elif mapped := re.fullmatch(r"[Dd]ict[(\[]str, (.+)[)\]]", kind):
        for name, entry in value.items():
            yield from _check(entry, mapped[1], f"{where}.{name}")
    else:
        yield from _check_fields(value, getattr(kserve.models, kind, None) or getattr(k8s, kind), where)


def _check_fields(value: dict[str, Any], described: Any, where: str) -> Iterator[str]:
    names = {json_name: name for name, json_name in described.attribute_map.items()}
    for name, entry in value.items():
        if name in names:
            yield from _check(entry, described.openapi_types[names[name]], f"{where}.{name}")
        else:
            yield f"{where}: there is no field {name}"
    given = {names[name]: entry for name, entry in value.items() if name in names}
    if issubclass(described, pydantic.BaseModel):
        missing = [name for name, field in described.model_fields.items() if field.is_required() and name not in given]
        yield from (f"{where}: {name} is missing" for name in missing)
    else:
        try:
            described(**given)
        except ValueError as error:
            yield f"{where}: {error}"


def main(files: Sequence[str]) -> int:
    """Checks files, and prints their errors."""
    faults = [
        f"{file}: {fault}"
        for file in files
        for document in yaml.safe_load_all(Path(file).read_text())
        for fault in faults_of(document)
    ]
    print("\n".join(faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
