"""Gemini generateContent, as strict as the real API with a Gemini 3 model: protobuf's JSON knows every field."""

import base64
import binascii
import json
import re

from conversation import CACHED, INPUT, OUTPUT, REASONING, WILD, Asked, Bad, expect, known, object_schema, one_of, picture

KEY = "x-goog-api-key"
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}
CONFIG = (
    "stopSequences responseMimeType responseSchema responseJsonSchema responseFormat candidateCount maxOutputTokens "
    "temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs logprobs enableEnhancedCivicAnswers "
    "responseModalities speechConfig thinkingConfig mediaResolution imageConfig"
)
SCHEMA = (
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties "
    "minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum"
)
SEAL = base64.b64encode(b"mock seal of a thought").decode()
# What the documentation gives to those who have no signature to send.
SEALS = (SEAL, "skip_thought_signature_validator", "context_engineering_is_the_way_to_go")


def route(path):
    found = re.fullmatch(r"/v1(?:beta)?/models/([^:/]+):(generateContent|streamGenerateContent|countTokens)", path)
    if not found:
        return None
    more = {"model": found[1], "stream": found[2] == "streamGenerateContent"}
    return {**more, "count": {"totalTokens": INPUT}} if found[2] == "countTokens" else more


def camel(value):
    """Protobuf's JSON takes snake_case as well. Free-form members keep their names."""
    if isinstance(value, list):
        return [camel(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    free = ("args", "response", "properties", "parametersJsonSchema", "responseJsonSchema", "labels")
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): inner for name, inner in value.items()}
    return {name: inner if name in free[:2] + free[3:] else {key: camel(one) for key, one in inner.items()} if name == "properties" else camel(inner) for name, inner in named.items()}


def read(body, headers, more):
    body = camel(body)
    if "count" in more and "generateContentRequest" in body:
        body = {name: value for name, value in body["generateContentRequest"].items() if name != "model"}
    known(body, "body", "contents", "systemInstruction tools toolConfig safetySettings generationConfig cachedContent labels model store serviceTier")
    asked = Asked(more["model"], more["stream"])
    told = known(body.get("systemInstruction") or {}, "systemInstruction", "", "role parts")
    asked.system = "\n".join(part.get("text", "") for part in told.get("parts", []))
    contents(body["contents"], asked)
    tools(body, asked)
    config(known(body.get("generationConfig") or {}, "generationConfig", "", CONFIG), asked)
    return asked


def config(given, asked):
    asked.limit = given.get("maxOutputTokens")
    asked.thinking = bool(known(given.get("thinkingConfig") or {}, "thinkingConfig", "", "includeThoughts thinkingBudget thinkingLevel").get("includeThoughts"))
    expect(not {"responseSchema", "responseJsonSchema"} <= given.keys(), "only one of response_schema and response_json_schema may be set")
    schema = given.get("responseJsonSchema", given.get("responseSchema"))
    mime = given.get("responseMimeType", "text/plain")
    expect(schema is None or mime == "application/json", "response_schema needs response_mime_type application/json")
    if "responseSchema" in given:
        open_api(given["responseSchema"], "generation_config.response_schema")
    if mime == "application/json":
        asked.schema = schema or {"type": "object"}


def open_api(schema, where):
    """`Schema` is a part of OpenAPI's, not JSON schema."""
    known(schema, where, "", SCHEMA)
    one_of(schema.get("type", "OBJECT").upper(), "STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL", f"{where}.type")
    for name, inner in schema.get("properties", {}).items():
        open_api(inner, f"{where}.properties[{name}]")
    for inner in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        open_api(inner, f"{where}.items")


def contents(listed, asked):
    expect(isinstance(listed, list) and listed, "contents is not specified")
    calls = None
    for at, content in enumerate(listed):
        where = f"contents[{at}]"
        known(content, where, "parts", "role")
        role = one_of(content.get("role", "user"), "user model function", f"{where}.role")
        expect(content["parts"], f"{where}.parts: must include at least one parts field")
        for part in content["parts"]:
            check(part, where)
        made = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        given = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        pair(calls, given, where)
        calls = made or None
        expect(not made or (role == "model" and at > 0), "Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
        if role == "model":
            asked.results = []
            continue
        asked.results = [result(one["response"]) for one in given]
        if not given:
            before = asked.said if at and listed[at - 1].get("role", "user") == "user" else ""
            asked.said = before + "".join(part.get("text", "") for part in content["parts"])
            asked.images = [image(part["inlineData"], where) for part in content["parts"] if "inlineData" in part]
    expect(calls is None, "Please ensure that every function call is followed by its function response.")
    WILD or sealed(listed)


def result(response):
    """A tool's answer where the documentation and the SDKs put it, else all there is."""
    return next((str(response[name]) for name in ("output", "result", "content") if name in response), json.dumps(response))


def check(part, where):
    data = "text inlineData fileData functionCall functionResponse executableCode codeExecutionResult"
    known(part, f"{where}.parts", "", f"{data} thought thoughtSignature partMetadata videoMetadata mediaResolution")
    count = sum(name in part for name in data.split())
    expect(count == 1, f"{where}.parts: required oneof field 'data' must have one initialized field, has {count}")
    if "functionCall" in part:
        known(part["functionCall"], f"{where}.functionCall", "name", "id args")
        expect(isinstance(part["functionCall"].get("args", {}), dict), f"{where}.functionCall.args: not a struct")
    if "functionResponse" in part:
        known(part["functionResponse"], f"{where}.functionResponse", "name response", "id willContinue scheduling parts")
        expect(isinstance(part["functionResponse"]["response"], dict), f"{where}.functionResponse.response: not a struct")
    if "thoughtSignature" in part:
        expect(part["thoughtSignature"] in SEALS, f"{where}: Thought signature is not valid.")


def pair(calls, given, where):
    """As many responses as calls, right after them, and for the same functions."""
    expect(calls or not given, f"{where}: Please ensure that function response turn comes immediately after a function call turn.")
    if calls is None:
        return
    expect(len(calls) == len(given), f"{where}: Please ensure that the number of function response parts ({len(given)}) is equal to the number of function call parts ({len(calls)}) of the function call turn.")
    names = lambda listed: sorted(one["name"] for one in listed)
    expect(names(calls) == names(given), f"{where}: function responses {names(given)} do not answer the calls {names(calls)}")
    ids = lambda listed: sorted(one.get("id", "") for one in listed)
    if any(ids(given)):
        expect(ids(calls) == ids(given), f"{where}: ids of function responses {ids(given)} are not those of the calls {ids(calls)}")


def sealed(listed):
    """In the current turn the first call of each step carries the signature it came with."""
    begin = max((at for at, content in enumerate(listed) if content.get("role", "user") == "user" and "functionResponse" not in content["parts"][0]), default=0)
    for at, content in enumerate(listed[begin:], begin):
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        expect(first is None or "thoughtSignature" in first, f"Function call is missing a thought_signature in functionCall parts. contents[{at}]")


def image(blob, where):
    known(blob, f"{where}.inlineData", "mimeType data", "displayName")
    try:
        return picture(blob["mimeType"], base64.b64decode(blob["data"].translate(str.maketrans("-_", "+/")), validate=True), where)
    except binascii.Error:
        raise Bad(f"{where}.inlineData.data: Base64 decoding failed") from None


def tools(body, asked):
    for at, tool in enumerate(body.get("tools") or []):
        where = f"tools[{at}]"
        known(tool, where, "", "functionDeclarations googleSearch googleSearchRetrieval codeExecution urlContext computerUse googleMaps fileSearch")
        for one in tool.get("functionDeclarations", []):
            known(one, f"{where}.functionDeclarations", "name", "description behavior parameters parametersJsonSchema response responseJsonSchema")
            expect(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}", one["name"]), f"{where}: {one['name']!r} is no function name")
            expect(not {"parameters", "parametersJsonSchema"} <= one.keys(), f"{where}: only one of parameters and parameters_json_schema may be set")
            if "parameters" in one:
                open_api(one["parameters"], f"{where}.{one['name']}.parameters")
            schema = one.get("parametersJsonSchema", one.get("parameters")) or {"type": "object", "properties": {}}
            asked.tools[one["name"]] = object_schema(schema, f"{where}.{one['name']}.parameters")
    chosen = known(body.get("toolConfig") or {}, "toolConfig", "", "functionCallingConfig retrievalConfig includeServerSideToolInvocations").get("functionCallingConfig") or {}
    known(chosen, "functionCallingConfig", "", "mode allowedFunctionNames streamFunctionCallArguments")
    mode = one_of(chosen.get("mode", "AUTO"), "MODE_UNSPECIFIED AUTO ANY NONE VALIDATED", "functionCallingConfig.mode")
    allowed = chosen.get("allowedFunctionNames")
    expect(not allowed or mode in ("ANY", "VALIDATED"), "allowed_function_names should only be set when mode is ANY or VALIDATED")
    asked.forced = (allowed or [""])[0] if mode == "ANY" else None
    asked.tools = {} if mode == "NONE" else asked.tools


def parts(reply, texts):
    if reply.thought:
        yield {"text": reply.thought, "thought": True}
    for text in texts:
        yield {"text": text}
    for at, one in enumerate(reply.calls):
        call = {"functionCall": {"name": one.name, "args": one.arguments, **({} if WILD else {"id": f"fn{one.number}"})}}
        yield {**call, "thoughtSignature": SEAL} if at == 0 and not WILD else call


def response(asked, listed, reason=None):
    candidate = {"content": {"parts": listed, "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": INPUT, "cachedContentTokenCount": CACHED, "totalTokenCount": INPUT + OUTPUT}
    thoughts = 0 if WILD else REASONING
    usage |= {"candidatesTokenCount": OUTPUT - thoughts, **({"thoughtsTokenCount": thoughts} if thoughts else {})}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": "mock1"}


def answer(reply, asked):
    return response(asked, list(parts(reply, [reply.text] if reply.text else [])), finish(reply))


def finish(reply):
    return "MAX_TOKENS" if reply.cut else "STOP"


def events(reply, asked):
    if WILD:
        *first, last = parts(reply, reply.pieces())
        for part in first:
            yield None, response(asked, [part])
        yield None, response(asked, [last], finish(reply))
        return
    for part in parts(reply, reply.pieces()):
        yield None, response(asked, [part])
    yield None, response(asked, [{"text": ""}], finish(reply))


def broken(bad):
    return None, error(bad)


def error(bad):
    return {"error": {"code": bad.status, "message": bad.message, "status": STATUS.get(bad.status, "UNKNOWN")}}
