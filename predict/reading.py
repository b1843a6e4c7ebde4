"""Reads the endpoints of the models from where the command line says."""

import json
from pathlib import Path

from pydantic import ValidationError

from endpoints.endpoint import Endpoint, parse_endpoints
from endpoints.sources import InputError, from_file, from_stack, from_stdin, stdin_is_fed
from predict.messages import Language


def read_endpoints(
    *, stack: str | None, cwd: Path | None, file: Path | None, language: Language, may_be_empty: bool = False
) -> list[Endpoint] | None:
    """Give the endpoints of a stack, a file, a pipe, or else the selected stack, or raise InputError.

    None stands for a pipe through which nothing came, where that is allowed.
    """
    if stack and file:
        raise InputError(language.two_sources)
    if file:
        text = from_file(file, language=language)
    elif not stack and stdin_is_fed():
        text = from_stdin(language=language)
        if may_be_empty and not text.strip():
            return None
    else:
        text = from_stack(stack, cwd=cwd, language=language)
    try:
        return list(parse_endpoints(json.loads(text)).values())
    except json.JSONDecodeError as problem:
        raise InputError(language.not_json.format(problem=problem)) from problem
    except ValidationError as problem:
        lines = (f"  {'.'.join(map(str, error['loc'])) or 'endpoints'}: {error['msg']}" for error in problem.errors())
        raise InputError(language.bad_fields.format(problems="\n".join(lines))) from problem
