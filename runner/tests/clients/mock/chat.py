"""OpenAI chat completions, as strict as the real API."""

import base64
import binascii
import json
import re

from conversation import CACHED, INPUT, OUTPUT, REASONING, WILD, Asked, Bad, closed, expect, known, object_schema, one_of, picture

KEY = "authorization"
FIELDS = (
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata "
    "modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream "
    "stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"
)
MESSAGE = "content name tool_calls tool_call_id refusal audio function_call annotations"
# What OpenAI's SDK adds and sends back, as it does a call's `index` and `parsed_arguments`; and the thoughts that
# DeepSeek, Moonshot and OpenRouter ask for, as Google does for a call's `extra_content`. Mistral would refuse those.
TOLERATED = "parsed reasoning_content reasoning_details"
TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 429: "requests", 500: "server_error"}
CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def route(path):
    return {} if path == "/v1/chat/completions" else None


def read(body, headers, more):
    known(body, "body", "model messages", FIELDS)
    asked = Asked(body["model"], bool(body.get("stream")), thinking=WILD and "reasoning_effort" in body)
    expect("stream_options" not in body or asked.stream, "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    expect(not ("max_tokens" in body and "max_completion_tokens" in body), "max_tokens and max_completion_tokens exclude each other")
    expect(len(body["stop"]) <= 4 if isinstance(body.get("stop"), list) else True, "stop: at most 4")
    expect(0 <= (body.get("temperature") or 0) <= 2, "temperature: between 0 and 2")
    messages(body["messages"], asked)
    asked.limit = body.get("max_completion_tokens") or body.get("max_tokens")
    tools(body, asked)
    if (form := body.get("response_format")) is not None:
        response_format(form, asked)
    asked.more = {"usage": bool((body.get("stream_options") or {}).get("include_usage"))}
    return asked


def messages(listed, asked):
    expect(isinstance(listed, list) and listed, "messages: must be a non-empty list")
    open_calls, told, unthought = [], [], False
    for at, message in enumerate(listed):
        where = f"messages[{at}]"
        known(message, where, "role", f"{MESSAGE} {TOLERATED}")
        role = one_of(message["role"], "system developer user assistant tool", f"{where}.role")
        if role == "tool":
            identifier = message.get("tool_call_id")
            expect(identifier in open_calls, f"{where}: a 'tool' message must follow the 'tool_calls' it answers; none has the id {identifier}")
            open_calls.remove(identifier)
            asked.results.append("".join(text_only(message.get("content"), where)))
            continue
        expect(not open_calls, f"An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Missing: {open_calls}")
        asked.results = []
        if role in ("system", "developer"):
            told += text_only(message.get("content"), where)
        elif role == "user":
            asked.images = []
            asked.said = "".join(parts(message.get("content"), where, asked))
        else:
            open_calls = assistant(message, where)
            unthought |= bool(asked.thinking and open_calls and not message.get("reasoning_content"))
    expect(not open_calls, f"An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Missing: {open_calls}")
    expect(not unthought, "The `reasoning_content` in the thinking mode must be passed back to the API.")
    asked.system = "\n".join(told)


def assistant(message, where):
    calls = message.get("tool_calls")
    expect(calls is None or calls, f"{where}.tool_calls: [] is too short")
    expect(calls or message.get("content") or message.get("refusal"), f"{where}.content: expected a string, got null")
    if message.get("content") is not None:
        text_only(message["content"], where, "text refusal")
    for call in calls or []:
        known(call, f"{where}.tool_calls", "id type function", "index extra_content")
        known(call["function"], f"{where}.tool_calls.function", "name arguments", "parsed_arguments")
        expect(isinstance(call["id"], str) and 0 < len(call["id"]) <= 40, f"{where}.tool_calls.id: {call['id']!r} must have 1 to 40 characters")
        try:
            json.loads(call["function"]["arguments"])
        except (TypeError, ValueError):
            raise Bad(f"{where}.tool_calls.function.arguments: no JSON text") from None
    identifiers = [call["id"] for call in calls or []]
    expect(len(set(identifiers)) == len(identifiers), f"{where}.tool_calls: ids repeat: {identifiers}")
    return identifiers


def text_only(content, where, kinds="text"):
    if isinstance(content, str):
        return [content]
    expect(isinstance(content, list) and content, f"{where}.content: expected a string or parts, got {json.dumps(content)[:80]}")
    for part in content:
        one_of(part.get("type"), kinds, f"{where}.content.type")
    return [part.get("text", "") for part in content]


def parts(content, where, asked):
    if isinstance(content, str):
        return [content]
    expect(isinstance(content, list) and content, f"{where}.content: expected a string or parts, got {json.dumps(content)[:80]}")
    texts = []
    for part in content:
        kind = one_of(part.get("type"), "text image_url input_audio file", f"{where}.content.type")
        known(part, f"{where}.content", f"type {kind}", "prompt_cache_breakpoint")
        if kind == "text":
            expect(isinstance(part["text"], str), f"{where}.content.text: expected a string")
            texts.append(part["text"])
        elif kind == "image_url":
            known(part["image_url"], f"{where}.image_url", "url", "detail")
            asked.images.append(data_url(part["image_url"]["url"], where))
    return texts


def data_url(url, where):
    found = re.fullmatch(r"data:([^;,]+);base64,(.*)", url, re.DOTALL)
    expect(found, f"{where}: the mock takes images as data URLs only, not {url[:60]}")
    try:
        return picture(found[1], base64.b64decode(found[2], validate=True), where)
    except binascii.Error:
        raise Bad(f"{where}: no base64") from None


def tools(body, asked):
    listed = body.get("tools")
    expect(listed is None or listed, "tools: [] is too short")
    for at, tool in enumerate(listed or []):
        where = f"tools[{at}]"
        kind = one_of(tool.get("type"), "function custom", f"{where}.type")
        known(tool, where, f"type {kind}")
        known(tool[kind], f"{where}.{kind}", "name", "description parameters strict format")
        name = tool[kind]["name"]
        expect(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name), f"{where}.function.name: {name!r} does not match ^[a-zA-Z0-9_-]{{1,64}}$")
        expect(name not in asked.tools, f"{where}: the name {name} repeats")
        schema = tool[kind].get("parameters") or {"type": "object", "properties": {}}
        asked.tools[name] = object_schema(schema, f"{where}.function.parameters")
        if tool[kind].get("strict"):
            closed(schema, f"{where}.function.parameters")
    expect(listed or "tool_choice" not in body, "'tool_choice' is only allowed when 'tools' are specified.")
    expect(listed or "parallel_tool_calls" not in body, "'parallel_tool_calls' is only allowed when 'tools' are specified.")
    asked.parallel = body.get("parallel_tool_calls") is not False
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        one_of(choice, "none auto required", "tool_choice")
        asked.forced = "" if choice == "required" else None
        asked.tools = {} if choice == "none" else asked.tools
    elif choice is not None:
        known(choice, "tool_choice", f"type {choice.get('type')}")
        asked.forced = known(choice[choice["type"]], "tool_choice.function", "name")["name"]


def response_format(form, asked):
    kind = one_of(form.get("type"), "text json_object json_schema", "response_format.type")
    if kind == "json_schema":
        known(form, "response_format", "type json_schema")
        inner = known(form["json_schema"], "response_format.json_schema", "name", "schema strict description")
        asked.schema = inner.get("schema", {})
        if inner.get("strict"):
            closed(asked.schema, "response_format.json_schema.schema")
    elif kind == "json_object":
        asked.schema = {"type": "object"}


def usage():
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": REASONING, "audio_tokens": 0},
    }


def frame(asked, kind):
    return {"id": "chatcmpl-mock1", "object": kind, "created": 1780000000, "model": asked.model, "service_tier": "default", "system_fingerprint": "fp_mock"}


def call(one):
    return {"id": f"call_mock{one.number}", "type": "function", "function": {"name": one.name, "arguments": json.dumps(one.arguments)}}


def finish(reply):
    return "tool_calls" if reply.calls else "length" if reply.cut else "stop"


def answer(reply, asked):
    message = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.calls:
        message["tool_calls"] = [call(one) for one in reply.calls]
    if reply.thought:
        message["reasoning_content"] = reply.thought
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(reply)}
    return {**frame(asked, "chat.completion"), "choices": [choice], "usage": usage()}


def events(reply, asked):
    if WILD:
        yield from wild_events(reply, asked)
        return

    def chunk(delta, reason=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        extra = {"usage": None} if asked.more["usage"] else {}
        return None, {**frame(asked, "chat.completion.chunk"), "choices": [choice], **extra}

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for piece in reply.pieces():
        yield chunk({"content": piece})
    for at, one in enumerate(map(call, reply.calls)):
        arguments = one["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": at, **one, "function": {**one["function"], "arguments": ""}}]})
        for piece in (arguments[:5], arguments[5:]):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, finish(reply))
    if asked.more["usage"]:
        yield None, {**frame(asked, "chat.completion.chunk"), "choices": [], "usage": usage()}
    yield None, "[DONE]"


def wild_events(reply, asked):
    def chunk(delta, reason=None, **more):
        return None, {**frame(asked, "chat.completion.chunk"), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}

    yield chunk({"role": "assistant", "content": None, "reasoning_content": ""})
    if reply.thought:
        yield chunk({"content": None, "reasoning_content": reply.thought})
    for piece in reply.pieces():
        yield chunk({"content": piece, "reasoning_content": None})
    for at, one in enumerate(map(call, reply.calls)):
        yield chunk({"tool_calls": [{"index": at, **one}]})
    yield chunk({"content": ""}, finish(reply), usage=usage())
    yield None, "[DONE]"


def broken(bad):
    return None, error(bad)


def error(bad):
    kind = TYPES.get(bad.status, "invalid_request_error")
    return {"error": {"message": bad.message, "type": kind, "param": bad.param, "code": CODES.get(bad.status)}}
