"""Providers that fail for one reason, in their own words: `/failing/{cause}/{whose}/{dialect}/…`. `whose` keeps the limit
that passes of one client apart from another's."""

import time

PASSES_AFTER = 3.0
# The dialect of Responses tells errors as chat does.
OPENAI = {
    "dead": (401, "Incorrect API key provided: sk-mock***ider.", "invalid_request_error", "invalid_api_key"),
    # DeepSeek: https://api-docs.deepseek.com/quick_start/error_codes
    "money": (402, "Insufficient Balance", "unknown_error", "invalid_request_error"),
    "quota": (429, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"),
    "model": (404, "The model `mock` does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"),
    "limit": (429, "Rate limit reached for requests. Please try again in 2s.", "requests", "rate_limit_exceeded"),
}
ANTHROPIC = {
    "dead": (401, "invalid x-api-key", "authentication_error"),
    "money": (402, "Your credit balance is too low to access the Anthropic API.", "billing_error"),
    "quota": (429, "You have reached your specified API usage limits.", "rate_limit_error"),
    "model": (404, "model: mock", "not_found_error"),
    "limit": (429, "This request would exceed your organization's rate limit.", "rate_limit_error"),
}
GEMINI = {
    "dead": (401, "Request had invalid authentication credentials.", "UNAUTHENTICATED"),
    "money": (402, "Your prepayment credits are depleted.", "FAILED_PRECONDITION"),
    "quota": (429, "You exceeded your current quota, please check your plan and billing details.", "RESOURCE_EXHAUSTED"),
    "model": (404, "models/mock is not found for API version v1beta.", "NOT_FOUND"),
    "limit": (429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED"),
}
VIOLATIONS = {"quota": ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", 39), "limit": ("GenerateRequestsPerMinutePerProjectPerModel", 2)}

first = {}


def passed(whose):
    """Whether the limit of this client is over, which began with its first call."""
    return time.monotonic() - first.setdefault(whose, time.monotonic()) >= PASSES_AFTER


def answer(cause, dialect):
    """Status, headers and body of a provider that fails for this reason."""
    waits = {"retry-after": "2"} if cause == "limit" else {}
    if dialect == "anthropic":
        status, message, kind = ANTHROPIC[cause]
        if cause == "quota":
            waits = {"retry-after": "86400"}
        return status, waits, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock1"}
    if dialect == "gemini":
        status, message, kind = GEMINI[cause]
        error = {"code": status, "message": message, "status": kind}
        if cause in VIOLATIONS:
            quota, seconds = VIOLATIONS[cause]
            google = "type.googleapis.com/google.rpc."
            error["details"] = [
                {"@type": google + "QuotaFailure", "violations": [{"quotaId": quota, "quotaValue": "20"}]},
                {"@type": google + "RetryInfo", "retryDelay": f"{seconds}s"},
            ]
        return status, {}, {"error": error}
    status, message, kind, code = OPENAI[cause]
    return status, waits, {"error": {"message": message, "type": kind, "param": None, "code": code}}
