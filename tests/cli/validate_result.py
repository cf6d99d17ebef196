#!/usr/bin/python3
"""Validates results against their JSON Schema, and what a schema cannot say: indexes, unique labels, drivers of the summary.

Usage: validate_result.py SCHEMA FILE...
Exit code 0: all are valid; 1: the first violation of each invalid file was printed with its path; 2: usage, or the schema itself is wrong.
"""
import json
import sys

import jsonschema


def path_text(parts):
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "document"


def reject_constant(name):
    raise ValueError(f"{name} is not JSON")


def beyond_schema(result):
    """Yields (path, message) of what the schema cannot express."""
    labels = [driver["label"] for driver in result["drivers"]]
    for i, label in enumerate(labels):
        if label in labels[:i]:
            yield f"drivers[{i}].label", f"'{label}' is not unique"
    for i, sample in enumerate(result["samples"]):
        for key, count in (("driver", len(labels)), ("block", len(result["blocks"]))):
            if sample[key] >= count:
                yield f"samples[{i}].{key}", f"{sample[key]} is no index of {count}"
    if [driver["label"] for driver in result["summary"]["drivers"]] != labels:
        yield "summary.drivers", "labels are not those of drivers"


def first_violation(validator, path):
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file, parse_constant=reject_constant)
    except (OSError, ValueError, RecursionError) as error:
        return f"{error}"
    error = min(validator.iter_errors(result), key=lambda e: [str(part) for part in e.absolute_path], default=None)
    if error:
        return f"{path_text(error.absolute_path)}: {error.message[:300]}"
    for where, message in beyond_schema(result):
        return f"{where}: {message}"
    return None


def main(arguments):
    if len(arguments) < 2:
        print("usage: validate_result.py SCHEMA FILE...", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, jsonschema.SchemaError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    validator = jsonschema.Draft202012Validator(schema)
    violations = 0
    for path in arguments[1:]:
        violation = first_violation(validator, path)
        if violation:
            print(f"{path}: {violation}", file=sys.stderr)
            violations += 1
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
