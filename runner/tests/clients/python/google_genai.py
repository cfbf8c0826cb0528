"""The `google-genai` SDK."""

import logging

from expected import *
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

NAME = f"py google-genai {genai.__version__}"
logging.getLogger("google_genai").setLevel(logging.ERROR)
NO_LOOP = types.AutomaticFunctionCallingConfig(disable=True)
TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(name="get_weather", description="Tells the weather", parameters_json_schema=PARAMETERS)])
TALK = [
    types.UserContent("one"),
    types.ModelContent("two"),
    types.UserContent(PROMPT),
]


def connect(key, **more):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=BASE, **more))


client = connect(KEY)


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def used(usage):
    return usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count + (usage.thoughts_token_count or 0)


def plain(model):
    config = types.GenerateContentConfig(system_instruction=SYSTEM, temperature=0.5)
    answer = client.models.generate_content(model=model, contents=TALK, config=config)
    same((answer.text, answer.candidates[0].finish_reason), (TEXT, types.FinishReason.STOP))
    same(used(answer.usage_metadata), USAGE)


def streamed(model):
    config = types.GenerateContentConfig(system_instruction=SYSTEM)
    chunks = list(client.models.generate_content_stream(model=model, contents=TALK, config=config))
    same("".join(chunk.text or "" for chunk in chunks), TEXT)
    same([chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates][-1], types.FinishReason.STOP)
    same(used(chunks[-1].usage_metadata), USAGE)
    same(len({chunk.response_id for chunk in chunks}), 1)


def tools(model):
    def ask(model, contents):
        config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=NO_LOOP)
        return client.models.generate_content(model=model, contents=contents, config=config).candidates[0].content.parts

    round_trip(model, ask)
    by_itself(model)


def by_itself(model):
    """The SDK runs a Python function by itself, and makes the declaration of its signature."""

    def get_weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: where
        """
        return RESULTS[city]

    answer = client.models.generate_content(model=model, contents=WEATHER, config=types.GenerateContentConfig(tools=[get_weather]))
    # The SDK makes {"result": …} of what the function returns; a provider may see that object or what is in it.
    same([answer.text.find(RESULTS[city]) > 0 for city in CITIES], [True, True])


def tools_streamed(model, then=None, **thinking):
    def ask(model, contents):
        config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=NO_LOOP, **thinking)
        chunks = client.models.generate_content_stream(model=model, contents=contents, config=config)
        return [part for chunk in chunks for part in (chunk.candidates[0].content and chunk.candidates[0].content.parts) or []]

    round_trip(model, ask, then)


THINKING = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)


def thinking(model):
    tools_streamed(model, thinking_config=THINKING)


def wandering(model):
    """A conversation goes on with a provider of another dialect."""
    for other in others(model):
        tools_streamed(model, other, thinking_config=THINKING)


def tool_choice(model):
    modes = types.FunctionCallingConfigMode
    for mode, names, calls in ((modes.ANY, None, True), (modes.ANY, ["get_weather"], True), (modes.NONE, None, False)):
        choice = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode, allowed_function_names=names))
        config = types.GenerateContentConfig(tools=[TOOL], tool_config=choice, automatic_function_calling=NO_LOOP)
        answer = client.models.generate_content(model=model, contents=TALK, config=config)
        same((answer.candidates[0].finish_reason, bool(answer.function_calls)), (types.FinishReason.STOP, calls))


def length(model):
    config = types.GenerateContentConfig(max_output_tokens=SHORT)
    whole = client.models.generate_content(model=model, contents=TALK, config=config)
    same((whole.text, whole.candidates[0].finish_reason), (CUT_TEXT, types.FinishReason.MAX_TOKENS))
    chunks = list(client.models.generate_content_stream(model=model, contents=TALK, config=config))
    same([chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates][-1], types.FinishReason.MAX_TOKENS)


def broken(model):
    breaks(client.models.generate_content_stream(model=f"{model}-stream", contents=TALK), errors.APIError)


def round_trip(model, ask, then=None):
    talk = [types.UserContent(WEATHER)]
    parts = ask(model, talk)
    calls = [part.function_call for part in parts if part.function_call]
    same([(call.name, call.args["city"]) for call in calls], [("get_weather", city) for city in CITIES])
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULTS[call.args["city"]]}))
        for call in calls
    ]
    talk += [types.ModelContent(parts), types.UserContent(results)]
    same("".join(part.text or "" for part in ask(then or model, talk) if not part.thought), TOOLS_TEXT)


def structured(model):
    for config in (
        types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person),
        types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=Person.model_json_schema()),
    ):
        answer = client.models.generate_content(model=model, contents=TALK, config=config)
        same(Person.model_validate_json(answer.text), Person(name="Ada", age=36, tags=["Ada"]))


def image(model):
    contents = [types.Part.from_bytes(data=PNG, mime_type="image/png"), "What is this?"]
    same(client.models.generate_content(model=model, contents=contents).text, IMAGE_TEXT)


def error(model):
    ask = lambda status: lambda: client.models.generate_content(model=f"{model}-{status}", contents=TALK)
    fails(ask(400), errors.ClientError, 400, "Mock failure 400")
    fails(ask(429), errors.ClientError, 429)
    fails(ask(500), errors.ServerError, 500, "Mock failure 500")


def wrong_key(model):
    other = connect(WRONG_KEY, headers=elsewhere())
    fails(lambda: other.models.generate_content(model=model, contents=TALK), errors.ClientError, 401)


def models(model):
    same(f"models/{model}" in [one.name for one in client.models.list()], True)
    same(client.models.get(model=model).name, f"models/{model}")
    same(client.models.count_tokens(model=model, contents=TALK).total_tokens > 0, True)
