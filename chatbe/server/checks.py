"""The start-up check as a Django system check, for `manage.py check --deploy`."""

from typing import Any

from django.core.checks import Error, register

from chatbe.server.preflight import setting_problems


@register(deploy=True)
def production_settings(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Each setting that is missing or unsafe for production."""
    return [
        Error(problem, id=f"chatbe.E{number:03d}")
        for number, problem in enumerate(setting_problems(), start=1)
    ]
