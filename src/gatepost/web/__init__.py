"""Floor 4: routes, cookies, request checks, pages. One table (`routes.py`) shows every route and what guards it."""
