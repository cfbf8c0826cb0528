// What every client sends and must get back, whatever provider is behind: see `mock/conversation.py`.

import assert from "node:assert/strict";
import { z } from "zod";

export const BASE = process.env.LLMIO_BASE;
export const KEY = process.env.LLMIO_KEY;
export const WRONG_KEY = "sk-llmio-" + "0".repeat(43);

export const SYSTEM = "Be brief.";
export const PROMPT = "say hello";
export const TEXT = `I heard: ${PROMPT} and was told: ${SYSTEM}`;
export const WEATHER = "What is the weather in Paris and in Tokyo?";
export const CALLS = [["get_weather", "Paris"], ["get_weather", "Tokyo"]];
export const RESULTS = { Paris: "22 C and sunny", Tokyo: "15 C and rain" };
export const TOOLS_TEXT = "The tools said: 22 C and sunny | 15 C and rain";
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const IMAGE_TEXT = `I see image/png of ${Buffer.from(PNG, "base64").length} bytes`;
export const Person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) });
export const PERSON = { name: "Ada", age: 36, tags: ["Ada"] };
// Tokens in, of these from the cache, and out.
export const USAGE = [20, 8, 7];

export const SHORT = 16;
export const CUT_TEXT = "This answer is too";

/** The models of the other providers. */
export const others = (model) => process.env.PROVIDERS.split(" ").map((name) => `via-${name}`).filter((other) => other !== model);

/** Asks with the first model once and with the other from then on. */
export const changing = (ask, model, other) => {
  let asked = 0;
  return (talk) => ask(asked++ ? other : model)(talk);
};

/** The stream fails with this class of the SDK after it has begun, and says why. */
export async function breaks(stream, wanted) {
  let pieces = 0;
  try {
    for await (const _ of await stream) pieces += 1;
  } catch (error) {
    if (!(error instanceof wanted)) throw error;
    assert.ok(pieces > 0 && error.message.includes("Mock failure in a stream"), error.message);
    return;
  }
  assert.fail("the stream did not fail");
}

let addresses = 0;
/** A header that makes the gateway see another address: it throttles one that tries wrong keys. */
export const elsewhere = () => ({ "x-forwarded-for": `10.0.1.${++addresses}` });

export const same = (got, wanted) => assert.deepStrictEqual(got, wanted);

/** The call fails with this class of the SDK and this status, before a client would have given up. */
export async function fails(call, wanted, status, says = "") {
  const begun = Date.now();
  const error = await call().then(() => assert.fail("it did not fail"), (error) => error);
  if (!(error instanceof wanted)) throw error;
  same(error.status ?? error.statusCode, status);
  assert.ok(error.message.includes(says), `${says} is not in ${error.message}`);
  assert.ok(Date.now() - begun < 5000, `it took ${Date.now() - begun} ms to fail`);
}
