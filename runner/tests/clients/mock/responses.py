"""OpenAI Responses, as strict as the real API."""

import json
import re

from chat import data_url
from chat import error
from conversation import CACHED, INPUT, OUTPUT, REASONING, WILD, Asked, Bad, closed, expect, known, object_schema, one_of

KEY = "authorization"
FIELDS = (
    "background client_metadata context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata moderation parallel_tool_calls previous_response_id prompt prompt_cache_key "
    "prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options "
    "temperature text tool_choice tools top_logprobs top_p truncation user"
)
SEAL = "mock-sealed-reasoning"


def route(path):
    return {} if path == "/v1/responses" else None


def read(body, headers, more):
    known(body, "body", "model input", FIELDS)
    asked = Asked(body["model"], bool(body.get("stream")))
    expect((body.get("max_output_tokens") or 16) >= 16, "max_output_tokens: at least 16")
    asked.limit = body.get("max_output_tokens")
    include = body.get("include") or []
    reasoning = known(body.get("reasoning") or {}, "reasoning", "", "effort summary generate_summary context mode")
    asked.thinking = bool(reasoning)
    asked.more = {"sealed": "reasoning.encrypted_content" in include, "summary": bool(reasoning.get("summary"))}
    asked.system = body.get("instructions") or ""
    listed = body["input"]
    if isinstance(listed, str):
        asked.said = listed
    else:
        expect(isinstance(listed, list) and listed, "input: must be a string or a non-empty list")
        items(listed, asked)
    tools(body, asked)
    text = known(body.get("text") or {}, "text", "", "format verbosity")
    if (form := text.get("format")) is not None:
        kind = one_of(form.get("type"), "text json_object json_schema", "text.format.type")
        if kind == "json_schema":
            known(form, "text.format", "type name schema", "strict description")
            asked.schema = form["schema"]
            if form.get("strict"):
                closed(asked.schema, "text.format.schema")
        elif kind == "json_object":
            asked.schema = {"type": "object"}
    return asked


def items(listed, asked):
    calls, answered, told = [], [], [asked.system] if asked.system else []
    for at, item in enumerate(listed):
        where = f"input[{at}]"
        kind = item.get("type", "message")
        if kind != "function_call_output" and kind != "custom_tool_call_output":
            asked.results = []
        if kind == "message":
            message(item, where, asked, told)
        elif kind in ("function_call", "custom_tool_call"):
            words = "arguments" if kind == "function_call" else "input"
            known(item, where, f"type call_id name {words}", "id status namespace caller internal_chat_message_metadata_passthrough")
            begins(item, "fc" if kind == "function_call" else "ctc", where)
            expect(0 < len(item["call_id"]) <= 64, f"{where}.call_id: must have 1 to 64 characters")
            expect(isinstance(item[words], str), f"{where}.{words}: expected a string")
            calls.append(item["call_id"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            known(item, where, "type call_id output", "id status name caller internal_chat_message_metadata_passthrough")
            expect(item["call_id"] in calls, f"No tool call found for function call output with call_id {item['call_id']}.")
            answered.append(item["call_id"])
            output = item["output"]
            expect(isinstance(output, (str, list)), f"{where}.output: expected a string or parts")
            asked.results.append(output if isinstance(output, str) else "".join(part.get("text", "") for part in output))
        elif kind == "reasoning":
            reasoning(item, where, listed[at + 1 : at + 2])
        else:
            raise Bad(f"Invalid value: '{kind}' at {where}.type")
    for call in calls:
        expect(call in answered, f"No tool output found for function call {call}.")
    asked.system = "\n".join(told)


def message(item, where, asked, told):
    known(item, where, "role content", "type id status phase internal_chat_message_metadata_passthrough")
    begins(item, "msg", where)
    role = one_of(item["role"], "user assistant system developer", f"{where}.role")
    content = item["content"]
    if isinstance(content, str):
        texts = [content]
    else:
        expect(isinstance(content, list), f"{where}.content: expected a string or parts")
        kinds = "output_text refusal" if role == "assistant" else "input_text input_image input_file"
        texts = []
        if role == "user":
            asked.images = []
        for part in content:
            one_of(part.get("type"), kinds, f"{where}.content.type")
            if part["type"] == "input_image":
                known(part, where, "type", "image_url detail file_id prompt_cache_breakpoint")
                asked.images.append(data_url(part["image_url"], where))
            texts.append(part.get("text", ""))
    if role == "user":
        asked.said = "".join(texts)
    elif role != "assistant":
        told.extend(texts)


def reasoning(item, where, following):
    known(item, where, "type summary", "id encrypted_content content status internal_chat_message_metadata_passthrough")
    begins(item, "rs", where)
    sealed = item.get("encrypted_content")
    expect(sealed in (None, SEAL), f"The encrypted content of {where} could not be verified.")
    expect(sealed or not item.get("id") or following, f"{where}: 'reasoning' was provided without its required following item.")


def begins(item, prefix, where):
    identifier = item.get("id")
    expect(identifier is None or identifier.startswith(prefix), f"Invalid '{where}.id': '{identifier}'. Expected an ID that begins with '{prefix}'.")


def tools(body, asked):
    for at, tool in enumerate(body.get("tools") or []):
        where = f"tools[{at}]"
        if tool.get("type") == "function":
            known(tool, where, "type name", "description parameters strict defer_loading output_schema")
            expect(re.fullmatch(r"[A-Za-z0-9_-]{1,128}", tool["name"]), f"{where}.name: {tool['name']!r} is no name")
            schema = tool.get("parameters") or {"type": "object", "properties": {}}
            asked.tools[tool["name"]] = object_schema(schema, f"{where}.parameters")
            if tool.get("strict"):
                closed(schema, f"{where}.parameters")
        else:
            known_tools = "namespace custom web_search web_search_preview image_generation local_shell tool_search mcp"
            one_of(tool.get("type"), known_tools, f"{where}.type")
    asked.parallel = body.get("parallel_tool_calls") is not False
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        one_of(choice, "none auto required", "tool_choice")
        asked.forced = "" if choice == "required" else None
        asked.tools = {} if choice == "none" else asked.tools
    elif choice is not None:
        asked.forced = known(choice, "tool_choice", "type name")["name"]


def output(reply, asked):
    """The items of an answer, as they are when it is whole."""
    listed = []
    if reply.thought:
        summary = [{"type": "summary_text", "text": reply.thought}] if asked.more["summary"] else []
        item = {"id": "rs_mock1", "type": "reasoning", "summary": summary}
        listed.append({**item, "encrypted_content": SEAL} if asked.more["sealed"] else item)
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        listed.append({"id": "msg_mock1", "type": "message", "status": "completed", "role": "assistant", "content": [part]})
    for one in reply.calls:
        item = {"id": f"fc_mock{one.number}", "type": "function_call", "status": "completed", "name": one.name}
        listed.append({**item, "call_id": f"call_mock{one.number}", "arguments": json.dumps(one.arguments)})
    return listed


def response(asked, status, listed, usage=None):
    return {
        "id": "resp_mock1", "object": "response", "created_at": 1780000000, "status": status, "background": False,
        "error": None, "incomplete_details": None, "instructions": None, "max_output_tokens": None, "metadata": {},
        "model": asked.model, "output": listed, "parallel_tool_calls": asked.parallel, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": False, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": usage, "user": None,
    }  # fmt: skip


USAGE = {
    "input_tokens": INPUT,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens": OUTPUT,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": INPUT + OUTPUT,
}


def answer(reply, asked):
    return ended(reply, asked, output(reply, asked))


def ended(reply, asked, listed):
    whole = response(asked, "incomplete" if reply.cut else "completed", listed, USAGE)
    return {**whole, "incomplete_details": {"reason": "max_output_tokens"}} if reply.cut else whole


def broken(bad):
    return "error", {"type": "error", "code": "server_error", "message": bad.message, "param": None, "sequence_number": 9}


__all__ = ["answer", "broken", "error", "events", "read", "route"]


def events(reply, asked):
    listed = output(reply, asked)
    sequence = 0
    for name, data in unnumbered(reply, asked, listed):
        yield None if WILD else name, {"type": name, **data, **({} if WILD else {"sequence_number": sequence})}
        sequence += 1


def unnumbered(reply, asked, listed):
    yield "response.created", {"response": response(asked, "in_progress", [])}
    yield "response.in_progress", {"response": response(asked, "in_progress", [])}
    for at, item in enumerate(listed):
        empty = {**item, **{"message": {"content": []}, "function_call": {"arguments": ""}, "reasoning": {"summary": []}}[item["type"]]}
        if "status" in item:
            empty["status"] = "in_progress"
        yield "response.output_item.added", {"output_index": at, "item": empty}
        place = {"item_id": item["id"], "output_index": at}
        if item["type"] == "message":
            yield from text_events(reply, item["content"][0], {**place, "content_index": 0})
        elif item["type"] == "function_call":
            words = item["arguments"]
            for piece in (words[:5], words[5:]):
                yield "response.function_call_arguments.delta", {**place, "delta": piece}
            yield "response.function_call_arguments.done", {**place, "arguments": words, "name": item["name"]}
        else:
            for index, part in enumerate(item["summary"]):
                yield from summary_events(part, {**place, "summary_index": index})
        yield "response.output_item.done", {"output_index": at, "item": item}
    yield f"response.{'incomplete' if reply.cut else 'completed'}", {"response": ended(reply, asked, listed)}


def text_events(reply, part, place):
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    for piece in reply.pieces():
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**place, "text": reply.text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}


def summary_events(part, place):
    yield "response.reasoning_summary_part.added", {**place, "part": {**part, "text": ""}}
    yield "response.reasoning_summary_text.delta", {**place, "delta": part["text"]}
    yield "response.reasoning_summary_text.done", {**place, "text": part["text"]}
    yield "response.reasoning_summary_part.done", {**place, "part": part}
