# SPDX-License-Identifier: Apache-2.0
"""The part of JSON Schema (2020-12) that the schemas in tests/data need; a word it does not know is an error."""
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def faults(schema, v, at="$"):
    """What of a value is not as its schema has it, as sentences."""
    out = []
    for word, want in schema.items():
        if word == "$comment":
            continue
        if word == "type":
            if not isinstance(v, TYPES[want]):
                return [f"{at}: no {want}: {v!r}"]
        elif word == "const":
            out += [] if v == want and type(v) is type(want) else [f"{at}: {v!r} instead of {want!r}"]
        elif word == "enum":
            out += [] if v in want else [f"{at}: {v!r} is none of {want}"]
        elif word == "pattern":
            out += [] if isinstance(v, str) and re.search(want, v) else [f"{at}: {v!r} is not {want}"]
        elif word == "required":
            out += [f"{at}: no {name}" for name in want if name not in v]
        elif word == "properties":
            for name in want.keys() & v.keys():
                out += faults(want[name], v[name], f"{at}.{name}")
        elif word == "additionalProperties":
            out += [f"{at}: {name} is too much" for name in v if name not in schema["properties"]]
        elif word == "items":
            for i, item in enumerate(v):
                out += faults(want, item, f"{at}[{i}]")
        elif word == "minItems":
            out += [] if len(v) >= want else [f"{at}: fewer than {want}"]
        elif word == "oneOf":
            tries = [faults(one, v, at) for one in want]
            if sum(not t for t in tries) != 1:
                out.append(f"{at}: fits none or several of {len(want)}: {tries}")
        else:
            raise ValueError(f"the schema says {word}, which is not known here")
    return out
