"""Makes a bot of each model, one a line of standard input: `<model>-bot`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()

from chatbot.services.bots import make_bot

for model in sys.stdin.read().split():
    bot = make_bot(username=f"{model}-bot")
    bot.model = model
    bot.save()
