"""Anthropic messages, as strict as the real API."""

import base64
import binascii
import hashlib
import json
import re

from conversation import CACHED, INPUT, OUTPUT, WILD, Asked, Bad, closed, expect, known, object_schema, one_of, picture

KEY = "x-api-key"
FIELDS = (
    "cache_control container context_management diagnostics fallbacks inference_geo mcp_servers metadata output_config output_format "
    "service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p"
)
TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "api_error"}
# This version of the API takes no sampling parameters.
NEW_VERSION = "2026-10-21"


def route(path):
    return {"/v1/messages": {}, "/v1/messages/count_tokens": {"count": {"input_tokens": INPUT}}}.get(path)


def read(body, headers, more):
    known(body, "body", "model messages" if "count" in more else "model messages max_tokens", FIELDS)
    expect(headers.get("anthropic-version"), "anthropic-version: header is required")
    expect(headers.get("anthropic-version") in ("2023-06-01", NEW_VERSION), f"anthropic-version: {headers.get('anthropic-version')!r} is no version")
    expect(isinstance(body.get("max_tokens", 1), int) and body.get("max_tokens", 1) > 0, "max_tokens: expected a positive integer")
    asked = Asked(body["model"], bool(body.get("stream")), limit=body.get("max_tokens"))
    asked.system = "\n".join(texts(body.get("system") or "", "system"))
    sampling(body, headers)
    thinking(body, asked)
    messages(body["messages"], headers, asked)
    tools(body, asked)
    form = known(body.get("output_config") or {}, "output_config", "", "effort format task_budget").get("format") or body.get("output_format")
    if form is not None:
        known(form, "output_config.format", "type schema")
        closed(form["schema"], "output_config.format.schema")
        asked.schema = form["schema"]
    return asked


def sampling(body, headers):
    given = [name for name in ("temperature", "top_p", "top_k") if name in body]
    expect(not given or headers["anthropic-version"] != NEW_VERSION, f"{given}: not supported with anthropic-version {NEW_VERSION}")
    expect(not {"temperature", "top_p"} <= body.keys(), "`temperature` and `top_p` cannot both be specified for this model.")
    expect(0 <= body.get("temperature", 1) <= 1, "temperature: range: 0..1")
    for at, stop in enumerate(body.get("stop_sequences") or []):
        expect(stop.strip(), f"stop_sequences.{at}: each stop sequence must contain non-whitespace")


def thinking(body, asked):
    wanted = body.get("thinking") or {"type": "disabled"}
    kind = one_of(wanted.get("type"), "enabled disabled adaptive", "thinking.type")
    asked.thinking = kind != "disabled"
    if kind == "enabled":
        expect(wanted.get("budget_tokens", 0) >= 1024, "thinking.enabled.budget_tokens: should be at least 1024")
        expect(wanted["budget_tokens"] < body["max_tokens"], "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if asked.thinking:
        expect(body.get("temperature", 1) == 1, "`temperature` may only be set to 1 when thinking is enabled.")
        choice = (body.get("tool_choice") or {}).get("type", "auto")
        expect(choice in ("auto", "none"), "Thinking may not be enabled when tool_choice forces tool use.")


def messages(listed, headers, asked):
    expect(isinstance(listed, list) and listed, "messages: at least one message is required")
    expect(listed[0].get("role") == "user", "messages: first message must use the \"user\" role")
    open_calls, before = [], None
    for at, message in enumerate(listed):
        where = f"messages.{at}"
        known(message, where, "role content", "id type model stop_reason stop_sequence usage" if "mid-conversation" in headers.get("anthropic-beta", "") else "")
        role = message["role"]
        if role == "system" and "mid-conversation" in headers.get("anthropic-beta", ""):
            asked.system += "\n" + "\n".join(texts(message["content"], where))
            continue
        one_of(role, "user assistant", f"{where}.role")
        expect(role != before, f"{where}: roles must alternate between \"user\" and \"assistant\", but found multiple \"{role}\" roles in a row")
        before = role
        blocks = message["content"]
        if isinstance(blocks, str):
            expect(blocks, f"{where}: all messages must have non-empty content")
            blocks = [{"type": "text", "text": blocks}]
        expect(blocks or (role == "assistant" and at == len(listed) - 1), f"{where}: all messages must have non-empty content")
        if role == "user":
            open_calls = user(blocks, where, open_calls, asked)
        else:
            open_calls = assistant(blocks, where)
            asked.results = []
    expect(not open_calls, f"messages.{len(listed) - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(open_calls)}.")


def user(blocks, where, open_calls, asked):
    asked.results, asked.images, said = [], [], []
    results = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
    missing = [call for call in open_calls if call not in results]
    expect(not missing, f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}.")
    for at, block in enumerate(blocks):
        here = f"{where}.content.{at}"
        kind = one_of(block.get("type"), "text image document tool_result search_result tool_reference", f"{here}.type")
        if kind == "text":
            said += texts([block], here)
        elif kind == "image":
            asked.images.append(image(block, here))
        elif kind == "tool_result":
            known(block, here, "type tool_use_id", "content is_error cache_control")
            expect(block["tool_use_id"] in open_calls, f"{here}: unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.")
            expect(not said, f"{here}: `tool_result` blocks must come before other content")
            open_calls.remove(block["tool_use_id"])
            content = block.get("content") or ""
            asked.results.append(content if isinstance(content, str) else "".join(part.get("text", "") for part in content))
    asked.said = "".join(said) or asked.said
    return []


def assistant(blocks, where):
    calls = []
    for at, block in enumerate(blocks):
        here = f"{where}.content.{at}"
        kind = one_of(block.get("type"), "text thinking redacted_thinking tool_use", f"{here}.type")
        if kind == "text":
            texts([block], here)
        elif kind == "thinking":
            known(block, here, "type thinking signature")
            expect(block["signature"] in (sign(block["thinking"]), sign("")), f"{here}: Invalid `signature` in `thinking` block")
        elif kind == "tool_use":
            known(block, here, "type id name input", "cache_control caller")
            expect(re.fullmatch(r"[A-Za-z0-9_-]+", block["id"]), f"{here}.id: {block['id']!r} does not match ^[a-zA-Z0-9_-]+$")
            expect(isinstance(block["input"], dict), f"{here}.input: Input should be a valid dictionary")
            expect(block["id"] not in calls, f"{here}: `tool_use` ids must be unique")
            calls.append(block["id"])
    return calls


def texts(content, where):
    if isinstance(content, str):
        return [content]
    for block in content:
        known(block, where, "type text", "cache_control citations")
        expect(block["text"], f"{where}: text content blocks must be non-empty")
    return [block["text"] for block in content]


def image(block, where):
    known(block, where, "type source", "cache_control")
    source = known(block["source"], f"{where}.source", "type", "media_type data url file_id")
    expect(source["type"] == "base64", f"{where}.source: the mock takes base64 only")
    known(source, f"{where}.source", "type media_type data")
    try:
        return picture(source["media_type"], base64.b64decode(source["data"], validate=True), where)
    except binascii.Error:
        raise Bad(f"{where}: invalid base64 data") from None


def tools(body, asked):
    for at, tool in enumerate(body.get("tools") or []):
        where = f"tools.{at}"
        if tool.get("type", "custom") != "custom":
            continue
        known(tool, where, "name input_schema", "type description cache_control strict defer_loading eager_input_streaming input_examples allowed_callers")
        expect(re.fullmatch(r"[A-Za-z0-9_-]{1,128}", tool["name"]), f"{where}.name: {tool['name']!r} does not match ^[a-zA-Z0-9_-]{{1,128}}$")
        expect(tool["name"] not in asked.tools, "tools: Tool names must be unique.")
        asked.tools[tool["name"]] = object_schema(tool["input_schema"], f"{where}.input_schema")
    choice = body.get("tool_choice")
    if choice is not None:
        expect(body.get("tools"), "tool_choice: may only be specified while providing tools")
        kind = one_of(choice.get("type"), "auto any tool none", "tool_choice.type")
        known(choice, "tool_choice", "type name" if kind == "tool" else "type", "" if kind == "none" else "disable_parallel_tool_use")
        asked.forced = {"any": "", "tool": choice.get("name")}.get(kind)
        asked.parallel = not choice.get("disable_parallel_tool_use")
        asked.tools = {} if kind == "none" else asked.tools


def sign(thought):
    return base64.b64encode(hashlib.sha256(b"mock " + thought.encode()).digest()).decode()


def blocks(reply):
    if reply.thought:
        yield {"type": "thinking", "thinking": reply.thought, "signature": sign(reply.thought)}
    if reply.text:
        yield {"type": "text", "text": reply.text}
    for one in reply.calls:
        yield {"type": "tool_use", "id": f"toolu_mock{one.number}", "name": one.name, "input": one.arguments}


def message(asked, content, reason, used):
    usage = {"input_tokens": INPUT - CACHED, "cache_creation_input_tokens": 0, "cache_read_input_tokens": CACHED, "output_tokens": used}
    frame = {"id": "msg_mock1", "type": "message", "role": "assistant", "model": asked.model, "content": content}
    return {**frame, "stop_reason": reason, "stop_sequence": None, "usage": {**usage, "service_tier": "standard"}}


def reason(reply):
    return "tool_use" if reply.calls else "max_tokens" if reply.cut else "end_turn"


def answer(reply, asked):
    return message(asked, list(blocks(reply)), reason(reply), OUTPUT)


def events(reply, asked):
    for data in unnamed(reply, asked):
        yield data["type"], data


def unnamed(reply, asked):
    begun = message(asked, [], None, 1)
    yield {"type": "message_start", "message": {**begun, "usage": {"input_tokens": 0, "output_tokens": 0}} if WILD else begun}
    for index, block in enumerate(blocks(reply)):
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[block["type"]]
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        if index == 0 and not WILD:
            yield {"type": "ping"}
        for delta in deltas(block, reply):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": reason(reply), "stop_sequence": None}, "usage": message(asked, [], None, OUTPUT)["usage"] if WILD else {"output_tokens": OUTPUT}}
    yield {"type": "message_stop"}


def deltas(block, reply):
    if block["type"] == "text":
        return [{"type": "text_delta", "text": piece} for piece in reply.pieces()]
    if block["type"] == "thinking":
        return [{"type": "thinking_delta", "thinking": block["thinking"]}, {"type": "signature_delta", "signature": block["signature"]}]
    words = json.dumps(block["input"])
    return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", words[:5], words[5:])]


def broken(bad):
    return "error", error(bad)


def error(bad):
    inner = {"type": TYPES.get(bad.status, "invalid_request_error"), "message": bad.message}
    return {"type": "error", "error": inner, "request_id": "req_mock1"}
