"""An assistant that always says the same, and notes who asked: `assistant.py FILE`. The standard library alone."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NOTED = Path(sys.argv[1])


class Assistant(BaseHTTPRequestHandler):
    """Answers a chat completion."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        NOTED.write_text(self.headers.get("Authorization", ""))
        message = {"role": "assistant", "content": "It is thirty days."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", 8000), Assistant).serve_forever()
