# SPDX-License-Identifier: Apache-2.0
"""docs/api/openapi.yaml as a judge: which operation a request is, and whether an answer is what the file
promises of it, to the last field: in answers nothing is there that is not promised, and nothing promised is missing.

From a schema it also makes values that the server must refuse."""
import copy
import json
import pathlib
import re

import jsonschema
import yaml

FILE = pathlib.Path(__file__).parents[2] / "docs/api/openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
EVERY_CALL = {400, 403, 405, 413}  # what the file says of every call, so that it is not said of each
EVERY_CHANGE = {503}


class _Yaml12(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """OpenAPI is YAML 1.2, where no and on are words."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, of) for tag, of in pairs if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def _parse():
    return yaml.load(FILE.read_text(), _Yaml12)


class Contract:
    def __init__(self):
        self.file = _parse()
        self.operations = {}  # (method, path) to what the file says
        self.seen = set()     # (method, path, status) that came
        self.schemas, self.validators = {}, {}
        for path, item in self.file["paths"].items():
            for method in METHODS:
                if method in item:
                    self.operations[method.upper(), path] = item[method]
        self.patterns = [(path, re.compile("/api/v1" + re.sub(r"\\{(\w+)\\}", self._part, re.escape(path))))
                         for path in self.file["paths"]]

    @staticmethod
    def _part(m):
        return r"\d+" if m[1] == "id" else "[^/]+"

    def path_of(self, url):
        url = url.split("?")[0]
        fits = [path for path, pattern in self.patterns if pattern.fullmatch(url)]
        return min(fits, key=lambda p: p.count("{")) if fits else None

    # ---- schemas ----

    def resolve(self, schema):
        """The schema itself, where it is named; allOf as one object."""
        while "$ref" in schema:
            at = self.file
            for part in schema["$ref"].split("/")[1:]:
                at = at[part]
            schema = at
        if "allOf" in schema:
            whole = {"type": "object", "required": [], "properties": {}}
            for part in map(self.resolve, schema["allOf"]):
                whole["required"] = whole["required"] + part["required"]
                whole["properties"] = {**whole["properties"], **part["properties"]}
            return whole
        return schema

    def strict(self, schema):
        """With all that it refers to in it, and objects that have no more and no fewer fields than are named."""
        schema = copy.deepcopy(self.resolve(schema))
        if "properties" in schema:
            loose = set(schema["properties"]) ^ set(schema.get("required", []))
            if loose:
                raise AssertionError(f"openapi.yaml: fields of an answer that may be missing, or are not told: {loose}")
            schema["properties"] = {name: self.strict(s) for name, s in schema["properties"].items()}
            schema["additionalProperties"] = False
        if "items" in schema:
            schema["items"] = self.strict(schema["items"])
        for word in ("oneOf", "anyOf"):
            if word in schema:
                schema[word] = [self.strict(s) for s in schema[word]]
        return schema

    def faults_of(self, key, schema, value):
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(self.strict(schema))
        return [f"{e.json_path}: {e.message[:300]}" for e in self.validators[key].iter_errors(value)]

    # ---- answers ----

    def faults(self, method, url, status, headers, body):
        """What of an answer is not as the file has it. 404 and 405 of what is not in the file are left alone."""
        path = self.path_of(url)
        says = self.operations.get(("GET" if method == "HEAD" else method, path))
        if not says:
            return [] if status in (404, 405) or not url.startswith("/api/") else [f"not in the file, and answers {status}"]
        self.seen.add((method, path, status))
        allowed = {int(s) for s in says["responses"]} | EVERY_CALL | (set() if method == "GET" else EVERY_CHANGE)
        if status == 304:
            return [] if method in ("GET", "HEAD") and not body else ["304 to a change or with a body"]
        if status not in allowed:
            return [f"{status} is not promised"]
        answer = self.resolve(says["responses"].get(str(status), {"$ref": "#/components/responses/Error"}))
        content = answer.get("content")
        if not content:
            return ["a body that is not promised"] if body else []
        kind = headers.get("Content-Type", "")
        told = next((k for k in content if re.sub(r"\s", "", kind).startswith(k)), None)
        if told is None:
            return [f"Content-Type {kind!r} is not promised"]
        if method == "HEAD" or "json" not in told:
            return []
        return self.faults_of((method, path, status, told), content[told]["schema"], json.loads(body))

    def event_faults(self, name, data):
        """Of an event of the stream."""
        kinds = {"status": "Status", "sensor": "Sensor", "miner": "Miner", "block": "Block", "alert": "Alert"}
        return self.faults_of(name, self.file["components"]["schemas"][kinds[name]], data) if name in kinds else []

    # ---- requests ----

    def parameters(self, says, where):
        return [p for p in map(self.resolve, says.get("parameters", [])) if p["in"] == where]

    def body_schemas(self, says):
        """What a JSON body may be."""
        content = says.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return []
        schema = self.resolve(content["application/json"]["schema"])
        return [self.resolve(s) for s in schema.get("oneOf", [schema])]


def wrong_values(schema):
    """Values that are not of the schema, on each side of each limit it names."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    wrong = []
    if "enum" in schema or "const" in schema:
        wrong += ["no such thing"]
    if "string" in kinds:
        wrong += [["x"]]
        if "maxLength" in schema:
            wrong += ["x" * (schema["maxLength"] + 1)]
        if schema.get("minLength", 0) > 1:
            wrong += ["x" * (schema["minLength"] - 1)]
    elif "integer" in kinds:
        wrong += ["x", 1.5]
    elif "boolean" in kinds or "number" in kinds:
        wrong += ["x"]
    elif "array" in kinds:
        wrong += ["x"]
        if schema.get("minItems", 0) == 1:
            wrong += [[]]
    if "minimum" in schema:
        wrong += [schema["minimum"] - 1]
    if "maximum" in schema:
        wrong += [schema["maximum"] + 1]
    return wrong
