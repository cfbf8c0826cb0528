// The `openai` SDK, responses.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import * as x from "./expected.mjs";

export const name = "js openai responses";
const connect = (apiKey, more) => new OpenAI({ baseURL: `${x.BASE}/v1`, apiKey, ...more });
const client = connect(x.KEY, { maxRetries: 0 });
const tool = { type: "function", name: "get_weather", description: "Tells the weather", parameters: x.PARAMETERS, strict: true };
const input = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: x.PROMPT },
];
const used = (usage) => [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens];

export async function plain(model) {
  const answer = await client.responses.create({ model, instructions: x.SYSTEM, input, temperature: 0.5 });
  x.same([answer.output_text, answer.status], [x.TEXT, "completed"]);
  x.same(used(answer.usage), x.USAGE);
}

export async function streamed(model) {
  const stream = client.responses.stream({ model, instructions: x.SYSTEM, input });
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const answer = await stream.finalResponse();
  x.same([text, answer.output_text, answer.status], [x.TEXT, x.TEXT, "completed"]);
  x.same(used(answer.usage), x.USAGE);
}

export const tools = (model) =>
  roundTrip((input) => client.responses.create({ model, input, tools: [tool], store: false }));

const streaming = (more) => (model) => (input) =>
  client.responses.stream({ model, input, tools: [tool], store: false, ...more }).finalResponse();
const thoughtful = streaming({ reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"] });

export const tools_streamed = (model) => roundTrip(streaming()(model));

export const thinking = (model) => roundTrip(thoughtful(model));

export async function wandering(model) {
  for (const other of x.others(model)) await roundTrip(x.changing(thoughtful, model, other));
}

export async function length(model) {
  const answer = await client.responses.create({ model, input, max_output_tokens: x.SHORT });
  x.same([answer.output_text, answer.status, answer.incomplete_details.reason], [x.CUT_TEXT, "incomplete", "max_output_tokens"]);
}

export const broken = (model) =>
  x.breaks(sayingWhy(client.responses.create({ model: `${model}-stream`, input, stream: true })), OpenAI.APIError);

/** The SDK raises some errors by itself, and leaves `error` and `response.failed` to who reads the events. */
async function* sayingWhy(events) {
  for await (const event of await events) {
    const said = { error: event.message, "response.failed": event.response?.error?.message }[event.type];
    if (said) throw new OpenAI.APIError(undefined, undefined, said, undefined);
    yield event;
  }
}

async function roundTrip(ask) {
  const talk = [{ role: "user", content: x.WEATHER }];
  const { output } = await ask(talk);
  const calls = output.filter((item) => item.type === "function_call");
  const city = (call) => JSON.parse(call.arguments).city;
  x.same(calls.map((call) => [call.name, city(call)]), x.CALLS);
  // As a program would send them back: without what the SDK's own parsing has added.
  talk.push(...output.map(({ parsed_arguments, ...item }) => item));
  talk.push(...calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: x.RESULTS[city(call)] })));
  const answer = await ask(talk);
  x.same([answer.output_text, answer.status], [x.TOOLS_TEXT, "completed"]);
}

export async function structured(model) {
  const answer = await client.responses.parse({ model, input, text: { format: zodTextFormat(x.Person, "person") } });
  x.same(answer.output_parsed, x.PERSON);
}

export async function image(model) {
  const content = [
    { type: "input_text", text: "What is this?" },
    { type: "input_image", image_url: `data:image/png;base64,${x.PNG}`, detail: "auto" },
  ];
  x.same((await client.responses.create({ model, input: [{ role: "user", content }] })).output_text, x.IMAGE_TEXT);
}

export async function error(model) {
  const ask = (status) => () => client.responses.create({ model: `${model}-${status}`, input });
  await x.fails(ask(400), OpenAI.BadRequestError, 400, "Mock failure 400");
  await x.fails(ask(429), OpenAI.RateLimitError, 429);
  await x.fails(ask(500), OpenAI.InternalServerError, 500, "Mock failure 500");
}

export const wrong_key = (model) =>
  x.fails(() => connect(x.WRONG_KEY, { defaultHeaders: x.elsewhere() }).responses.create({ model, input }), OpenAI.AuthenticationError, 401);

export { models } from "./openai_chat.mjs";
