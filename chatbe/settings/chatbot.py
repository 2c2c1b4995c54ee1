"""Bots and the provider of their answers."""

from chatbe.settings.declare import section, setting

section(
    "Chatbot",
    intro="See [chatbot](chatbot.md). What a bot has of its own, in the admin, goes before these.",
)

CHATBOT_USERNAME = setting(
    "CHATBOT_USERNAME",
    str,
    "assistant",
    "username",
    "the bot that `migrate` makes if it is not there; empty makes none",
)
CHATBOT_DISPLAY_NAME = setting(
    "CHATBOT_DISPLAY_NAME",
    str,
    "Assistant",
    "text",
    "what it is called in lists when it is made",
)
CHATBOT_BASE_URL = setting(
    "CHATBOT_BASE_URL",
    str,
    "",
    "`https://host/path`",
    (
        "an OpenAI-compatible server, up to the `/chat/completions` that follows; if empty, "
        "answers are made here by plain rules"
    ),
    production="https with `CHATBOT_API_KEY`",
)
CHATBOT_API_KEY = setting(
    "CHATBOT_API_KEY",
    str,
    "",
    "text",
    "is sent there and nowhere else",
)
CHATBOT_MODEL = setting(
    "CHATBOT_MODEL",
    str,
    "",
    "name",
    "the model that is asked",
    production="**must** with `CHATBOT_BASE_URL`",
)
CHATBOT_SYSTEM_PROMPT = setting(
    "CHATBOT_SYSTEM_PROMPT",
    str,
    "",
    "text",
    (
        "what the model is told first, `{name}` in it is the bot's name; if empty, to answer "
        "briefly and in plain text"
    ),
    production="no secrets: a model may repeat it",
)
CHATBOT_MAX_TOKENS = setting(
    "CHATBOT_MAX_TOKENS",
    int,
    1_000,
    "tokens",
    "the longest answer",
)
CHATBOT_CONTEXT_MESSAGES = setting(
    "CHATBOT_CONTEXT_MESSAGES",
    int,
    30,
    "messages",
    "how many of the conversation's last messages go with a question, itself included",
)
CHATBOT_CONTEXT_CHARACTERS = setting(
    "CHATBOT_CONTEXT_CHARACTERS",
    int,
    12_000,
    "characters",
    "how much text of them at most",
)
CHATBOT_QUESTIONS_PER_USER = setting(
    "CHATBOT_QUESTIONS_PER_USER",
    int,
    200,
    "questions a day",
    "of one user to one bot; here and below 0 is no limit, and a day begins at midnight UTC",
)
CHATBOT_QUESTIONS_PER_CONVERSATION = setting(
    "CHATBOT_QUESTIONS_PER_CONVERSATION",
    int,
    400,
    "questions a day",
    "in one conversation to one bot",
)
CHATBOT_QUESTIONS_PER_DAY = setting(
    "CHATBOT_QUESTIONS_PER_DAY",
    int,
    5_000,
    "questions a day",
    "to one bot altogether",
)
CHATBOT_CONCURRENCY = setting(
    "CHATBOT_CONCURRENCY",
    int,
    4,
    "answers",
    "which one bot gives at a time in one process",
)
CHATBOT_CONNECT_SECONDS = setting(
    "CHATBOT_CONNECT_SECONDS",
    float,
    5.0,
    "seconds",
    "how long connecting to the provider may take",
)
CHATBOT_FIRST_BYTE_SECONDS = setting(
    "CHATBOT_FIRST_BYTE_SECONDS",
    float,
    30.0,
    "seconds",
    "until its answer begins",
)
CHATBOT_BETWEEN_SECONDS = setting(
    "CHATBOT_BETWEEN_SECONDS",
    float,
    15.0,
    "seconds",
    "between two pieces of an answer",
)
CHATBOT_TOTAL_SECONDS = setting(
    "CHATBOT_TOTAL_SECONDS",
    float,
    120.0,
    "seconds",
    "for all of it",
)
CHATBOT_LEASE_SECONDS = setting(
    "CHATBOT_LEASE_SECONDS",
    float,
    20.0,
    "seconds",
    "a worker that was silent for this long is gone, and others end what it was answering",
)
CHATBOT_WORKER_IN_SERVER = setting(
    "CHATBOT_WORKER_IN_SERVER",
    bool,
    True,
    "boolean",
    (
        "whether servers on PostgreSQL elect one among them that answers for bots while no "
        "`manage.py chatbot_worker` runs; on SQLite the server always does. Each server takes "
        "one connection for it"
    ),
    production="`false` where servers may not reach an AI provider: then run the worker",
)
