"""Where answers come from: each provider in a module, behind the interface beside it."""

from functools import cache

from django.conf import settings

from chatbot.models import Bot
from chatbot.providers.embedded import EmbeddedProvider
from chatbot.providers.interface import Provider
from chatbot.providers.openai import OpenAIProvider


def provider_of(bot: Bot) -> Provider:
    """The bot's own, or the configured one."""
    wanted = bot.provider or (
        Bot.Provider.OPENAI if settings.CHATBOT_BASE_URL else Bot.Provider.EMBEDDED
    )
    # Without an address there is nobody to ask.
    if wanted == Bot.Provider.OPENAI and settings.CHATBOT_BASE_URL:
        return _openai(settings.CHATBOT_BASE_URL, settings.CHATBOT_API_KEY)
    return EmbeddedProvider()


@cache
def _openai(base_url: str, key: str) -> OpenAIProvider:
    # One for the process: its circuit remembers.
    return OpenAIProvider(base_url, key)
