"""The views of the rival on Django: `login`, `logout` and `request.user` as its documentation shows them.

Django imports it once it is set up (`rivals_django`). Where there are tokens, their views are simplejwt's own.
"""

import json
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def ready(request: HttpRequest) -> JsonResponse:
    """Answers, and does nothing."""
    return JsonResponse({})


# No page of Django's is in between, so nothing could carry its token against cross-site requests.
@csrf_exempt
def sign_in(request: HttpRequest) -> JsonResponse:
    """The documentation's "How to log a user in"."""
    given = json.loads(request.body)
    user = authenticate(request, username=given["email"], password=given["password"])
    if user is None:
        return JsonResponse({}, status=401)
    login(request, user)
    return JsonResponse({})


@csrf_exempt
def sign_out(request: HttpRequest) -> JsonResponse:
    """The documentation's "How to log a user out"."""
    logout(request)
    return JsonResponse({})


def me(request: HttpRequest) -> JsonResponse:
    """Who it is."""
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    return JsonResponse({"email": request.user.email})


def _with_tokens() -> list[Any]:
    from rest_framework.decorators import (
        api_view,
        permission_classes,
    )
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework_simplejwt.views import (
        TokenBlacklistView,
        TokenObtainPairView,
        TokenRefreshView,
    )

    @api_view(["GET"])
    @permission_classes([IsAuthenticated])
    def who(request: Request) -> Response:
        return Response({"email": request.user.email})

    return [
        path("sign-in", TokenObtainPairView.as_view()),
        path("refresh", TokenRefreshView.as_view()),
        path("sign-out", TokenBlacklistView.as_view()),
        path("me", who),
    ]


def _with_sessions() -> list[Any]:
    return [path("sign-in", sign_in), path("sign-out", sign_out), path("me", me)]


urlpatterns = [
    path("ready", ready),
    *(_with_tokens() if settings.RIVAL_HAS_TOKENS else _with_sessions()),
]
