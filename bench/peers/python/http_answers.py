"""Answers, problems, and the one line that is logged for a request."""

import json
import time


class Problem(Exception):
    def __init__(self, status, title, headers=None):
        super().__init__(title)
        self.status, self.title, self.headers = status, title, headers or {}


def endpoint(route):
    def decorate(handle):
        def handler(event, _context):
            started = time.perf_counter()
            request_id = event["requestContext"]["requestId"]
            response = _answer(event, request_id, handle)
            line = {
                "level": "INFO",
                "message": "answered",
                "request_id": request_id,
                "route": route,
                "status": response["statusCode"],
                "duration_ms": (time.perf_counter() - started) * 1000,
            }
            print(json.dumps(line))
            return response

        return handler

    return decorate


def _answer(event, request_id, handle):
    try:
        body, headers = handle(event)
        return _response(200, "application/json", body, request_id, headers)
    except Problem as raised:
        problem = raised
    except Exception as error:
        line = {"level": "ERROR", "message": "the table could not be used", "cause": type(error).__name__}
        print(json.dumps(line))
        problem = Problem(503, "Service Unavailable", {"Retry-After": "1"})
    body = {"title": problem.title, "status": problem.status, "traceId": request_id}
    return _response(problem.status, "application/problem+json", body, request_id, problem.headers)


def _response(status, content_type, body, request_id, headers):
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            **headers,
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
