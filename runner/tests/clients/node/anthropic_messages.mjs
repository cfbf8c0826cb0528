// The `@anthropic-ai/sdk`.

import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import * as x from "./expected.mjs";

export const name = "js anthropic";
const connect = (apiKey, more) => new Anthropic({ baseURL: x.BASE, apiKey, ...more });
const client = connect(x.KEY, { maxRetries: 0 });
const tool = { name: "get_weather", description: "Tells the weather", input_schema: x.PARAMETERS };
const max_tokens = 4000;
const messages = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: [{ type: "text", text: x.PROMPT, cache_control: { type: "ephemeral" } }] },
];
const used = (usage) => [usage.input_tokens + usage.cache_read_input_tokens, usage.cache_read_input_tokens, usage.output_tokens];

export async function plain(model) {
  const answer = await client.messages.create({ model, system: x.SYSTEM, messages, max_tokens });
  x.same([answer.content[0].text, answer.stop_reason], [x.TEXT, "end_turn"]);
  x.same(used(answer.usage), x.USAGE);
}

export async function streamed(model) {
  const stream = client.messages.stream({ model, system: x.SYSTEM, messages, max_tokens });
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const answer = await stream.finalMessage();
  x.same([text, answer.content[0].text, answer.stop_reason], [x.TEXT, x.TEXT, "end_turn"]);
  x.same(used(answer.usage), x.USAGE);
}

export const tools = (model) => roundTrip((messages) => client.messages.create({ model, messages, max_tokens, tools: [tool] }));

const streaming = (more) => (model) => (messages) =>
  client.messages.stream({ model, messages, max_tokens, tools: [tool], ...more }).finalMessage();
const thoughtful = streaming({ thinking: { type: "adaptive" } });

export const tools_streamed = (model) => roundTrip(streaming()(model));

export const thinking = (model) => roundTrip(thoughtful(model));

export async function wandering(model) {
  for (const other of x.others(model)) await roundTrip(x.changing(thoughtful, model, other));
}

export async function length(model) {
  const answer = await client.messages.create({ model, messages, max_tokens: x.SHORT });
  x.same([answer.content[0].text, answer.stop_reason], [x.CUT_TEXT, "max_tokens"]);
}

export const broken = (model) =>
  x.breaks(client.messages.create({ model: `${model}-stream`, messages, max_tokens, stream: true }), Anthropic.APIError);

async function roundTrip(ask) {
  const talk = [{ role: "user", content: x.WEATHER }];
  const { content, stop_reason } = await ask(talk);
  x.same(stop_reason, "tool_use");
  const calls = content.filter((block) => block.type === "tool_use");
  x.same(calls.map((call) => [call.name, call.input.city]), x.CALLS);
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: x.RESULTS[call.input.city] }] }));
  talk.push({ role: "assistant", content }, { role: "user", content: results });
  const answer = await ask(talk);
  x.same([answer.content.at(-1).text, answer.stop_reason], [x.TOOLS_TEXT, "end_turn"]);
}

export async function structured(model) {
  const output_config = { format: zodOutputFormat(x.Person) };
  x.same((await client.messages.parse({ model, messages, max_tokens, output_config })).parsed_output, x.PERSON);
}

export async function image(model) {
  const content = [
    { type: "image", source: { type: "base64", media_type: "image/png", data: x.PNG } },
    { type: "text", text: "What is this?" },
  ];
  const answer = await client.messages.create({ model, messages: [{ role: "user", content }], max_tokens });
  x.same(answer.content[0].text, x.IMAGE_TEXT);
}

export async function error(model) {
  const ask = (status) => () => client.messages.create({ model: `${model}-${status}`, messages, max_tokens });
  await x.fails(ask(400), Anthropic.BadRequestError, 400, "Mock failure 400");
  await x.fails(ask(429), Anthropic.RateLimitError, 429);
  await x.fails(ask(500), Anthropic.InternalServerError, 500, "Mock failure 500");
}

export const wrong_key = (model) =>
  x.fails(() => connect(x.WRONG_KEY, { defaultHeaders: x.elsewhere() }).messages.create({ model, messages, max_tokens }), Anthropic.AuthenticationError, 401);

export async function models(model) {
  x.same((await client.models.list()).data.some((one) => one.id === model), true);
  x.same((await client.models.retrieve(model)).id, model);
  x.same((await client.messages.countTokens({ model, messages })).input_tokens > 0, true);
}
