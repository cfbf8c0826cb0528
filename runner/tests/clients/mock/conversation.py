"""What the mock understands of a request, and what it answers, whatever the dialect. Each dialect's file reads its
requests into an `Asked` and writes a `Reply` in its own shape."""

import itertools
import json
import sys
from dataclasses import dataclass, field

# What every answer is said to have used: 20 tokens in, 8 of them from the cache; 7 out, 2 of them reasoning.
INPUT, CACHED, OUTPUT, REASONING = 20, 8, 7, 2

# The providers one meets beside the four inventors: DeepSeek's thoughts, calls in one piece, usage in the last chunk
# or in the last event only, events without names, Gemini 2.5 without ids and signatures.
WILD = "--wild" in sys.argv

THOUGHT = "Let me think about it."

PROMPT = "say hello"

# The limit of tokens that cuts an answer, and the model whose streams end with an error after their first piece.
SHORT, BROKEN = 16, "error-stream"

# Tools that are called when they are offered and the user's words hold one of CUES. Those that read a file are what
# the command-line clients offer.
CUES = ("weather", "note.txt")
READ_NOTE = {"command": "cat note.txt", "description": "Read the note"}
SCRIPTED = {
    "get_weather": [{"city": "Paris"}, {"city": "Tokyo"}],
    "Bash": [READ_NOTE],
    "run_shell_command": [READ_NOTE],
    "exec_command": [{"cmd": "cat note.txt"}],
    "shell_command": [{"command": "cat note.txt"}],
    "shell": [{"command": ["cat", "note.txt"]}],
}

numbers = itertools.count(1)


class Bad(Exception):
    """The request is refused, in the dialect's own shape."""

    def __init__(self, message, status=400, param=None):
        super().__init__(message)
        self.message, self.status, self.param = message, status, param


@dataclass
class Asked:
    """A request that has passed its dialect's checks."""

    model: str
    stream: bool = False
    system: str = ""
    said: str = ""  # the text of the last user message
    results: list = field(default_factory=list)  # texts of the tool results the conversation ends with
    images: list = field(default_factory=list)  # (media type, bytes) in the last user message
    tools: dict = field(default_factory=dict)  # name -> schema of the arguments
    forced: str | None = None  # a tool's name, or "" for any
    parallel: bool = True
    schema: dict | None = None  # of the structured answer
    thinking: bool = False
    limit: int | None = None  # of tokens
    more: dict = field(default_factory=dict)  # what only the dialect itself needs to write its answer


@dataclass
class Call:
    name: str
    arguments: dict
    number: int = field(default_factory=lambda: next(numbers))


@dataclass
class Reply:
    text: str = ""
    calls: list = field(default_factory=list)
    thought: str = ""
    cut: bool = False  # by the limit

    def pieces(self):
        """The text in three pieces, as a stream has it."""
        third = max(1, -(-len(self.text) // 3))
        return [self.text[at : at + third] for at in range(0, len(self.text), third)]


def decide(asked):
    """What is answered: a magic model's error, a tool call, JSON that fits, or a text that shows what has arrived."""
    if asked.model == BROKEN:
        return Reply("This answer breaks off")
    if asked.model.startswith("error-"):
        status = int(asked.model.removeprefix("error-"))
        raise Bad(f"Mock failure {status}", status)
    thought = THOUGHT if asked.thinking else ""
    if not asked.results and (calls := wanted(asked)):
        return Reply(calls=calls if asked.parallel else calls[:1], thought=thought)
    if asked.schema is not None:
        return Reply(json.dumps(fit(asked.schema)), thought=thought)
    if asked.results:
        return Reply("The tools said: " + " | ".join(asked.results), thought=thought)
    if asked.images:
        seen = ", ".join(f"{media} of {len(data)} bytes" for media, data in asked.images)
        return Reply(f"I see {seen}", thought=thought)
    told = f" and was told: {asked.system[:60]}" if asked.system else ""
    if asked.limit == SHORT:
        return Reply("This answer is too", cut=True)
    # Command-line clients surround the prompt with much of their own.
    heard = PROMPT if PROMPT in asked.said else asked.said[-60:]
    return Reply(f"I heard: {heard}{told}", thought=thought)


def wanted(asked):
    """The calls of the first scripted tool that is offered, or of the one that is forced."""
    if asked.forced:
        if asked.forced not in asked.tools:
            raise Bad(f"tool choice names '{asked.forced}', which is not among the tools")
        return [Call(asked.forced, arguments) for arguments in arguments_of(asked, asked.forced)]
    names = [name for name in SCRIPTED if name in asked.tools]
    if asked.forced == "":
        names = names or list(asked.tools)
    elif not any(cue in asked.said for cue in CUES):
        return []
    return [Call(names[0], arguments) for arguments in arguments_of(asked, names[0])] if names else []


def arguments_of(asked, name):
    return SCRIPTED.get(name) or [fit(asked.tools[name])]


def fit(schema):
    """A value that fits a JSON schema, of the kinds that SDKs make of their models."""
    return fit_in(schema, {**schema.get("definitions", {}), **schema.get("$defs", {})})


def fit_in(schema, defs):
    if "$ref" in schema:
        return fit_in(defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return fit_in(schema[union][0], defs)
    kind = schema.get("type", "object")
    kind = (kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: fit_in(properties[name], defs) for name in schema.get("required", properties) if name in properties}
    if kind == "array":
        return [fit_in(schema.get("items", {"type": "string"}), defs) for _ in range(max(1, schema.get("minItems", 1)))]
    return {"string": "Ada", "integer": 36, "number": 36.5, "boolean": True, "null": None}[kind]


def known(value, where, required="", optional=""):
    """Refuses what the API would: members that are missing, and members it does not know."""
    if not isinstance(value, dict):
        raise Bad(f"{where}: expected an object, got {json.dumps(value)[:80]}")
    required, optional = required.split(), optional.split()
    for name in required:
        if name not in value:
            raise Bad(f"{where}.{name}: field required", param=name)
    for name in value:
        if name not in required and name not in optional:
            raise Bad(f"{where}.{name}: unknown field", param=name)
    return value


def expect(condition, message):
    if not condition:
        raise Bad(message)


def one_of(value, allowed, where):
    expect(value in allowed.split(), f"{where}: {json.dumps(value)[:80]} is none of {allowed}")
    return value


def object_schema(schema, where):
    """The schema of a tool's arguments."""
    expect(isinstance(schema, dict), f"{where}: expected a schema, got {json.dumps(schema)[:80]}")
    expect(str(schema.get("type", "")).lower() == "object", f'{where}.type: a tool takes an "object", not {schema.get("type")}')
    return schema


def closed(schema, where):
    """Strict structured output: every object is closed, and (with OpenAI) requires all of its properties."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        expect(schema.get("additionalProperties") is False, f"{where}: 'additionalProperties' must be false")
    for name in ("properties", "$defs", "definitions"):
        for key, inner in schema.get(name, {}).items():
            closed(inner, f"{where}.{name}.{key}")
    closed(schema.get("items"), f"{where}.items")
    for inner in schema.get("anyOf", []):
        closed(inner, f"{where}.anyOf")


def picture(media, data, where):
    """An image's bytes, which must be what its media type says."""
    magic = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8", "image/gif": b"GIF8", "image/webp": b"RIFF"}
    expect(media in magic, f"{where}: unsupported media type {media}")
    expect(data.startswith(magic[media]), f"{where}: the bytes are no {media}")
    return media, data
