"""A provider of each dialect, on one port: `/chat/v1`, `/responses/v1`, `/anthropic/v1`, `/gemini/v1beta`, and the same
below `/failing/…`, where they fail. It answers as `conversation.decide` says, refuses what the real API would refuse, and
writes a line per request to the log."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import chat
import conversation
import failing
import gemini
import responses

DIALECTS = {"chat": chat, "responses": responses, "anthropic": anthropic, "gemini": gemini}
SECRET = "sk-mock-provider"


def breaking(dialect, reply, asked):
    """The events up to the first piece of text, then an error."""
    for name, data in dialect.events(reply, asked):
        yield name, data
        if reply.pieces()[0] in json.dumps(data):
            break
    yield dialect.broken(conversation.Bad("Mock failure in a stream", 500))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        path, _, query = self.path.partition("?")
        _, name, inner = path.split("/", 2)
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if name == "failing":
            cause, whose, name, inner = inner.split("/", 3)
            if not (cause == "passes" and failing.passed(whose)):
                return self.fail("limit" if cause == "passes" else cause, name, raw)
        dialect = DIALECTS[name]
        status, problem = 200, None
        try:
            try:
                self.serve(dialect, "/" + inner, query, raw)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                # Of another shape than the checks have thought of.
                raise conversation.Bad(f"malformed: {error!r}") from error
        except conversation.Bad as bad:
            status, problem = bad.status, bad.message
            self.whole(bad.status, dialect.error(bad))
        self.note(name, status, problem, raw)

    def note(self, name, status, problem, raw):
        line = {"at": time.time(), "dialect": name, "path": self.path, "status": status, "problem": problem}
        with open(sys.argv[1], "a") as log:
            log.write(json.dumps({**line, "body": raw.decode(errors="replace")}) + "\n")

    def fail(self, cause, name, raw):
        status, headers, body = failing.answer(cause, name)
        self.whole(status, body, headers)
        self.note(name, status, None, raw)

    def serve(self, dialect, path, query, raw):
        more = dialect.route(path)
        if more is None:
            raise conversation.Bad(f"no such path: {path}", 404)
        presented = self.headers.get(dialect.KEY) or self.headers.get("authorization", "")
        presented = presented.removeprefix("Bearer ")
        if presented != SECRET:
            raise conversation.Bad(f"Incorrect API key provided: {presented}", 401)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = dialect.read(json.loads(raw), headers, more)
        if "count" in more:
            return self.whole(200, more["count"])
        reply = conversation.decide(asked)
        if not asked.stream:
            return self.whole(200, dialect.answer(reply, asked))
        if dialect is gemini and "alt=sse" not in query:
            return self.whole(200, [data for _, data in dialect.events(reply, asked)])
        self.stream(dialect.events(reply, asked) if asked.model != conversation.BROKEN else breaking(dialect, reply, asked))

    def whole(self, status, body, headers={}):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            piece = (f"event: {name}\n" if name else "") + f"data: {text}\n\n"
            self.wfile.write(f"{len(piece.encode()):x}\r\n{piece}\r\n".encode())
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
