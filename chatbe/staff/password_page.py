"""The admin's page for one's own password: the form is the theme's, what it does our service's."""

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse_lazy
from unfold.forms import AdminOwnPasswordChangeForm

from accounts import services
from accounts.models import User
from common.addresses import request_address
from common.errors import InvalidInput, RateLimited


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]  # the theme ships no types
    """Says nothing of the old password: looking at it is counted, and the service's."""

    def clean_old_password(self) -> str:
        return str(self.cleaned_data["old_password"])


class OwnPasswordView(PasswordChangeView):
    """Changes it as REST does: all sessions end, and all logins of the admin but this one."""

    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")
    template_name = "registration/password_change_form.html"

    def form_valid(self, form: Any) -> HttpResponse:
        request: HttpRequest = self.request
        user: Any = request.user
        try:
            services.change_password(
                user=user,
                password=form.cleaned_data["old_password"],
                new_password=form.cleaned_data["new_password1"],
                address=request_address(request),
            )
        except InvalidInput as refusal:
            names = {"password": "old_password", "new_password": "new_password1"}
            for name, problem in (refusal.fields or {}).items():
                form.add_error(names[name], f"It {problem}.")
            return self.form_invalid(form)
        except RateLimited as refusal:
            form.add_error("old_password", f"{refusal.message} Wait {refusal.retry_after} seconds.")
            return self.form_invalid(form)
        update_session_auth_hash(request, User.objects.get(id=user.id))
        return HttpResponseRedirect(self.get_success_url())
