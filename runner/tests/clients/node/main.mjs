// Tries every feature of every JavaScript SDK on every provider, and prints a line of JSON for each.

import * as anthropic from "./anthropic_messages.mjs";
import { clients as ai } from "./ai_sdk.mjs";
import * as google from "./google_genai.mjs";
import * as chat from "./openai_chat.mjs";
import * as responses from "./openai_responses.mjs";

const FEATURES = "plain streamed tools tools_streamed thinking wandering length broken structured image error wrong_key models".split(" ");
const { LLMIO_ADMIN, LLMIO_BASE, ONLY = "", PROVIDERS } = process.env;

/** The failures of one client must not keep a provider from the next. */
const forgetFailures = () =>
  fetch(`${LLMIO_BASE}/api/health/reset`, { method: "POST", body: "{}", headers: { authorization: `Bearer ${LLMIO_ADMIN}` } });

async function problem(call, model) {
  try {
    await call(model);
    return null;
  } catch (error) {
    const at = /(\w+\.mjs:\d+)/g.exec((error.stack ?? "").replaceAll("expected.mjs", ""))?.[1] ?? "?";
    return `${error.constructor.name} at ${at}: ${error.message}`;
  }
}

for (const client of [chat, responses, anthropic, google, ...ai]) {
  for (const provider of PROVIDERS.split(" ")) {
    await forgetFailures();
    for (const feature of FEATURES.filter((feature) => client[feature])) {
      if (!`${client.name} ${provider} ${feature}`.includes(ONLY)) continue;
      const found = await problem(client[feature], `via-${provider}`);
      console.log(JSON.stringify({ client: client.name, provider, feature, problem: found }));
    }
  }
}
